"""A decision in words, in every language: clauses, amounts, and dates where the seller is."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from refunds.policy.models.decision import Deadlines, Verdict
from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import Policy
from refunds.policy.rules.conditions import request_until, restore_by
from refunds.policy.rules.texts import LANGUAGES, day_text, sentence
from shared.contracts import Explanation, Ground, Language
from shared.shops.policy import LAW, GroundText, Words


def outweighed(ground: GroundText) -> dict[str, str]:
    """The words of a ground that is named and does not prevail."""
    return {language: sentence("outweighed", language, text=getattr(ground, language)) for language in LANGUAGES}


def moment_text(moment: datetime, policy: Policy, language: Language) -> str:
    """Day, time and zone where the seller is."""
    local = moment.astimezone(policy.calendar.zone)
    return f"{day_text(local.date(), language)} {local:%H:%M:%S} ({policy.zone})"


def fillings(facts: Facts, policy: Policy, language: Language) -> Mapping[str, str]:
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
    return Explanation(
        **{language: _explained(verdict, grounds, deadlines, facts, policy, language) for language in LANGUAGES}
    )


def _explained(
    verdict: Verdict,
    grounds: Sequence[GroundText],
    deadlines: Deadlines,
    facts: Facts,
    policy: Policy,
    language: Language,
) -> str:
    values = dict(fillings(facts, policy, language))
    sentences = [sentence("head", language, **values, verdict=sentence(verdict, language, **values))]
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
            sentences.append(sentence(name, language, day=f"{day} ({policy.zone})", moment=moment))
    return " ".join(sentences)


def cite(clauses: Iterable[str], policy: Policy, language: Language, values: Mapping[str, str]) -> str:
    """`Refund Policy, RP 1; Public Offer, PO 5.1`; the law by its own name."""

    def cited(clause: str) -> str:
        if clause == LAW:
            return _named(clause, values)
        return f"{getattr(policy.documents[clause.partition(' ')[0]], language)}, {clause}"

    return "; ".join(map(cited, clauses))


def _cited(ground: GroundText, policy: Policy, language: Language, values: Mapping[str, str]) -> str:
    text = getattr(ground, language).format_map(values).rstrip(".")
    return f"{text} ({cite(ground.clauses, policy, language, values)})."
