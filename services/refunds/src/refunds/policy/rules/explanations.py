"""A decision in words, English and Russian: clauses, amounts, and dates where the seller is."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from refunds.policy.models.decision import Deadlines, Verdict
from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import Policy
from refunds.policy.rules.conditions import request_until, restore_by
from shared.contracts import Explanation, Ground
from shared.shops.policy import LAW, GroundText, Words

LANGUAGES = ("en", "ru")
_MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "ru": [
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ],
}
_HEAD = {
    "en": "Refund for the order paid on {paid_on} ({amount}), asked for on {requested_on}: {verdict}.",
    "ru": "Возврат за заказ, оплаченный {paid_on} ({amount}), запрошен {requested_on}: {verdict}.",
}
_VERDICTS: dict[Verdict, dict[str, str]] = {
    "approve": {"en": "approved, {amount} goes back to you", "ru": "одобрен, мы возвращаем {amount}"},
    "deny": {"en": "refused", "ru": "отказ"},
    "await_information": {"en": "we need more information from you", "ru": "нам нужны дополнительные сведения"},
    "await_support": {"en": "support is looking into it", "ru": "поддержка разбирается"},
    "await_restoration": {"en": "the service is being restored", "ru": "услуга восстанавливается"},
    "await_observation": {"en": "we are checking the eSIM", "ru": "мы проверяем состояние eSIM"},
}
_UNTIL: dict[str, dict[str, str]] = {
    "credited_by": {"en": "Expected by {day}.", "ru": "Ожидайте до {day} включительно."},
    "pay_by": {"en": "We send it by {day} at the latest.", "ru": "Мы отправим деньги не позднее {day}."},
    "decide_by": {"en": "We answer by {day} at the latest.", "ru": "Мы ответим не позднее {day}."},
    "restore_by": {
        "en": "It is restored by {moment}, or the money goes back.",
        "ru": "Услуга будет восстановлена до {moment}, иначе мы вернём деньги.",
    },
}

_OUTWEIGHED = {
    "en": "Against it stands, without deciding, because terms that say both are read in the buyer's favour: {text}",
    "ru": "Против этого, не являясь решающим, поскольку противоречивые условия толкуются в пользу покупателя: {text}",
}


def outweighed(ground: GroundText) -> dict[str, str]:
    """The words of a ground that is named and does not prevail."""
    return {language: _OUTWEIGHED[language].format(text=getattr(ground, language)) for language in LANGUAGES}


def day_text(day: date, language: str) -> str:
    """`20 November 2026`, `20 ноября 2026 г.`"""
    text = f"{day.day} {_MONTHS[language][day.month - 1]} {day.year}"
    return f"{text} г." if language == "ru" else text


def moment_text(moment: datetime, policy: Policy, language: str) -> str:
    """Day, time and zone where the seller is."""
    local = moment.astimezone(policy.calendar.zone)
    return f"{day_text(local.date(), language)} {local:%H:%M:%S} ({policy.zone})"


def fillings(facts: Facts, policy: Policy, language: str) -> Mapping[str, str]:
    """The values of the placeholders in a policy's texts; a dash where a value is unknown."""

    def day(moment: datetime | None) -> str:
        return "—" if moment is None else day_text(policy.calendar.day(moment), language)

    def exact(moment: datetime | None) -> str:
        return "—" if moment is None else moment_text(moment, policy, language)

    until = request_until(facts, policy)
    return {
        "paid_on": day(facts.order.paid_at),
        "requested_on": day(facts.request.received_at),
        "delivered_on": day(facts.delivered_at),
        "request_until": "—" if until is None else day_text(policy.calendar.last_day(until), language),
        "restore_by": exact(restore_by(facts, policy)),
        "delivery_due": exact(facts.order.delivery_due_at),
        "legal_rule": facts.support.legal_rule or "—",
        "charges": str(facts.order.charges),
        "amount": str(facts.order.paid),
    }


def ground_values(grounds: Iterable[GroundText], facts: Facts, policy: Policy) -> tuple[Ground, ...]:
    """One ground per clause, in order. A clause that applies for several reasons holds all texts."""
    values = fillings(facts, policy, "en")
    texts: dict[str, list[str]] = {}
    for ground in grounds:
        for clause in ground.clauses:
            clause_texts = texts.setdefault(clause, [])
            if (text := ground.en.format_map(values)) not in clause_texts:
                clause_texts.append(text)
    parts = ((_named(clause, values).partition(" "), " ".join(clause_texts)) for clause, clause_texts in texts.items())
    return tuple(Ground(document=document, clause=number, text=text) for (document, _, number), text in parts)


def _named(clause: str, values: Mapping[str, str]) -> str:
    """A clause as it is cited; the law by the name that the agent gave."""
    return f"{LAW} {values['legal_rule']}" if clause == LAW else clause


def explain(
    verdict: Verdict, grounds: Sequence[GroundText], deadlines: Deadlines, facts: Facts, policy: Policy
) -> Explanation:
    """The decision with its reasons, what happens next and by when, and, on refusal, how to appeal."""
    en, ru = (_explained(verdict, grounds, deadlines, facts, policy, language) for language in LANGUAGES)
    return Explanation(en=en, ru=ru)


def _explained(
    verdict: Verdict, grounds: Sequence[GroundText], deadlines: Deadlines, facts: Facts, policy: Policy, language: str
) -> str:
    values = dict(fillings(facts, policy, language))
    verdict_text = _VERDICTS[verdict][language].format_map(values)
    sentences = [_HEAD[language].format(**values, verdict=verdict_text)]
    sentences += [_cited(ground, policy, language, values) for ground in grounds]
    closing: dict[Verdict, Words] = {
        "approve": policy.answers.money_back,
        "deny": policy.answers.appeal,
        "await_information": policy.answers.incomplete,
    }
    if verdict in closing:
        sentences.append(getattr(closing[verdict], language).format_map(values))
    shown: dict[Verdict, tuple[str, ...]] = {
        "approve": ("pay_by", "credited_by"),
        "await_support": ("decide_by",),
        "await_restoration": ("restore_by",),
        "await_observation": ("decide_by",),
    }
    for name in shown.get(verdict, ()):
        until = getattr(deadlines, name)
        if until is not None:
            day = day_text(policy.calendar.last_day(until), language)
            moment = moment_text(until, policy, language)
            sentences.append(_UNTIL[name][language].format(day=f"{day} ({policy.zone})", moment=moment))
    return " ".join(sentences)


def cite(clauses: Iterable[str], policy: Policy, language: str, values: Mapping[str, str]) -> str:
    """`Refund Policy, RP 1; Public Offer, PO 5.1`; the law by its own name."""

    def cited(clause: str) -> str:
        if clause == LAW:
            return _named(clause, values)
        return f"{getattr(policy.documents[clause.partition(' ')[0]], language)}, {clause}"

    return "; ".join(map(cited, clauses))


def _cited(ground: GroundText, policy: Policy, language: str, values: Mapping[str, str]) -> str:
    text = getattr(ground, language).format_map(values).rstrip(".")
    return f"{text} ({cite(ground.clauses, policy, language, values)})."
