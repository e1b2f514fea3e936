"""The buyer's timeline: one sentence per fact, in English and Russian."""

from collections.abc import Iterable
from datetime import date
from typing import Literal

from ordering.timeline.models import Fact, FactDetail, RecordedFact

TimelineLanguage = Literal["en", "ru"]


_SENTENCES: dict[Fact, dict[TimelineLanguage, str]] = {
    Fact.ORDER_PLACED: {"en": "The order was placed.", "ru": "Заказ оформлен."},
    Fact.ORDER_HELD: {
        "en": "The order is being checked by our staff before it can be paid.",
        "ru": "Наш сотрудник проверяет заказ; после этого его можно будет оплатить.",
    },
    Fact.ORDER_RELEASED: {"en": "The order was checked and can be paid.", "ru": "Заказ проверен, его можно оплатить."},
    Fact.ORDER_REFUSED: {
        "en": "The order was refused after a check. Nothing was charged; support explains why.",
        "ru": "После проверки заказ отклонён. Деньги не списаны; причину объяснит служба поддержки.",
    },
    Fact.PAYMENT_FAILED: {
        "en": "A payment did not go through{why}. The order can still be paid.",
        "ru": "Платёж не прошёл{why}. Заказ всё ещё можно оплатить.",
    },
    Fact.PAYMENT_LAPSED: {
        "en": "Nobody has paid for the order in time. A payment that still arrives is honoured.",
        "ru": "Заказ не был оплачен вовремя. Если оплата всё же поступит, заказ будет выполнен.",
    },
    Fact.DUPLICATE_CHARGED: {
        "en": "The bank took {amount} a second time. This payment goes back by itself (RF 2.4).",
        "ru": "Банк списал {amount} второй раз. Этот платёж вернётся сам (RF 2.4).",
    },
    Fact.ORDER_PAID: {"en": "The payment was received.", "ru": "Оплата получена."},
    Fact.PROFILE_GENERATED: {"en": "The eSIM was made by the operator.", "ru": "Оператор выпустил eSIM."},
    Fact.PROFILE_FAILED: {
        "en": "The operator could not make the eSIM.",
        "ru": "Оператор не смог выпустить eSIM.",
    },
    Fact.DELIVERY_FAILED: {
        "en": "The mailbox refused the e-mail with the QR code.",
        "ru": "Почтовый ящик не принял письмо с QR-кодом.",
    },
    Fact.TOP_UP_APPLIED: {
        "en": "The eSIM was topped up{total}.",
        "ru": "Пакет добавлен на eSIM{total}.",
    },
    Fact.TOP_UP_FAILED: {
        "en": "The top-up could not be applied.",
        "ru": "Пополнить eSIM не удалось.",
    },
    Fact.PROFILE_INSTALLED: {"en": "The eSIM was installed on a device.", "ru": "eSIM установлена на устройство."},
    Fact.PROFILE_ACTIVATED: {"en": "The eSIM was activated.", "ru": "eSIM активирована."},
    Fact.PROFILE_FIRST_USED: {
        "en": "The eSIM was used for the first time.",
        "ru": "eSIM использована впервые.",
    },
    Fact.DATA_LOW: {
        "en": "The eSIM's data is running low{used}{total}.",
        "ru": "Трафик eSIM заканчивается{used}{total}.",
    },
    Fact.PROFILE_EXPIRING: {
        "en": "The eSIM ends soon{last_day}{unless}.",
        "ru": "Срок действия eSIM скоро закончится{last_day}{unless}.",
    },
    Fact.PROFILE_DELETED: {"en": "The eSIM was deleted from the device.", "ru": "eSIM удалена с устройства."},
    Fact.PROFILE_EXPIRED: {"en": "The eSIM has expired{ended}.", "ru": "Срок действия eSIM истёк{ended}."},
    Fact.PROFILE_REVOKED: {
        "en": "The eSIM was taken out of use; its code works no longer.",
        "ru": "eSIM отозвана, её код больше не действует.",
    },
    Fact.REVOCATION_REFUSED: {
        "en": "The eSIM could not be taken out of use: it is, or was, on a device.",
        "ru": "Отозвать eSIM не удалось: она установлена или уже была установлена на устройство.",
    },
    Fact.QR_DELIVERED: {"en": "The QR code was delivered{how}.", "ru": "QR-код доставлен{how}."},
    Fact.REFUND_REQUESTED: {"en": "A refund was requested.", "ru": "Запрошен возврат денег."},
    Fact.INFORMATION_NEEDED: {
        "en": "For the refund we need some more information{missing}.",
        "ru": "Для возврата нам нужны ещё сведения{missing}.",
    },
    Fact.CANCELLATION_ACCEPTED: {
        "en": "The cancellation was accepted{clauses}: the eSIM is taken out of use, and the money follows.",
        "ru": "Отмена принята{clauses}: eSIM отзывается, затем вернутся деньги.",
    },
    Fact.REFUND_DENIED: {
        "en": "The refund was denied{clauses}. An appeal is possible.",
        "ru": "В возврате отказано{clauses}. Решение можно обжаловать.",
    },
    Fact.APPEAL_RECEIVED: {
        "en": "The appeal was received; another member of our staff looks at it.",
        "ru": "Апелляция получена; её рассмотрит другой сотрудник.",
    },
    Fact.REFUND_APPROVED: {
        "en": "The refund of {amount} was approved{clauses}.",
        "ru": "Возврат {amount} одобрен{clauses}.",
    },
    Fact.REFUND_FAILED: {
        "en": "The bank refused the refund of {amount}. Our staff is taking care of it.",
        "ru": "Банк отклонил возврат {amount}. Этим занимается наш сотрудник.",
    },
    Fact.REFUND_RETRIED: {
        "en": "The bank was asked again to return {amount}.",
        "ru": "Банк снова попросили вернуть {amount}.",
    },
    Fact.REFUND_PAID_BY_HAND: {
        "en": "Our staff paid {amount} of the refund another way{paid_way}.",
        "ru": "Наши сотрудники выплатили {amount} из возврата другим способом{paid_way}.",
    },
    Fact.REFUND_SETTLED: {
        "en": "The refund of {amount} was {sent}{until}.",
        "ru": "Возврат {amount} {sent}{until}.",
    },
    Fact.REFUND_PART_APPROVED: {
        "en": "The refund of {amount}, a part of the payment, was approved{clauses}.",
        "ru": "Возврат части оплаты, {amount}, одобрен{clauses}.",
    },
    Fact.REFUND_PART_SETTLED: {
        "en": "The refund of {amount}, a part of the payment, was {sent}{until}.",
        "ru": "Возврат части оплаты, {amount}, {sent}{until}.",
    },
    Fact.SURPLUS_REQUESTED: {
        "en": "A refund of the second payment was requested.",
        "ru": "Запрошен возврат второго платежа.",
    },
    Fact.SURPLUS_APPROVED: {
        "en": "The refund of the second payment of {amount} was approved{clauses}.",
        "ru": "Возврат второго платежа {amount} одобрен{clauses}.",
    },
    Fact.SURPLUS_FAILED: {
        "en": "The bank refused to return the second payment of {amount}. Our staff is taking care of it.",
        "ru": "Банк отклонил возврат второго платежа {amount}. Этим занимается наш сотрудник.",
    },
    Fact.SURPLUS_RETRIED: {
        "en": "The bank was asked again to return the second payment of {amount}.",
        "ru": "Банк снова попросили вернуть второй платёж {amount}.",
    },
    Fact.SURPLUS_PAID_BY_HAND: {
        "en": "Our staff paid {amount} of the second payment back another way{paid_way}.",
        "ru": "Наши сотрудники вернули {amount} из второго платежа другим способом{paid_way}.",
    },
    Fact.SURPLUS_SETTLED: {
        "en": "The second payment of {amount} was sent back{until}.",
        "ru": "Второй платёж {amount} отправлен обратно{until}.",
    },
    Fact.RECEIPT_ISSUED: {"en": "The fiscal receipt{kind}{link}.", "ru": "Фискальный чек{kind}{link}."},
}
#: Epay's reasonCodes (docs/wire/epay.md) in words for buyers; other codes are not explained.
_REASONS: tuple[tuple[tuple[int, ...], dict[TimelineLanguage, str]], ...] = (
    ((457, 478, 485), {"en": "the card has expired", "ru": "истёк срок действия карты"}),
    ((465, 467, 479, 489), {"en": "the card is blocked", "ru": "карта заблокирована"}),
    ((471, 472), {"en": "wrong card number", "ru": "неверный номер карты"}),
    ((455, 473, 499), {"en": "3-D Secure was not passed", "ru": "не пройдена проверка 3-D Secure"}),
    ((484,), {"en": "insufficient funds", "ru": "недостаточно средств"}),
    ((488, 491), {"en": "a limit of the card was reached", "ru": "превышен лимит карты"}),
)
_DECLINED = {code: words for codes, words in _REASONS for code in codes}
_CHANNELS: dict[str, dict[TimelineLanguage, str]] = {
    "email": {"en": " by e-mail", "ru": " по электронной почте"},
    "account": {"en": " in the personal account", "ru": " в личном кабинете"},
}
#: How a person paid a refund that the bank refused; a way that is not listed is not shown.
_WAYS: dict[str, dict[TimelineLanguage, str]] = {
    "bank_transfer": {"en": ": bank transfer", "ru": ": банковский перевод"},
    "other_card": {"en": ": to another card", "ru": ": на другую карту"},
    "cash": {"en": ": cash", "ru": ": наличные"},
    "wallet": {"en": ": e-wallet", "ru": ": электронный кошелёк"},
}
_SENT: dict[bool, dict[TimelineLanguage, str]] = {
    False: {"en": "sent to the original payment method", "ru": "отправлен на исходный способ оплаты"},
    True: {"en": "paid in full, another way", "ru": "выплачен полностью, другим способом"},
}
_ENDS: dict[str, dict[TimelineLanguage, str]] = {
    "never_activated": {"en": ": it was not activated in time (RC 7)", "ru": ": её не активировали вовремя (RC 7)"},
    "plan_ended": {"en": ": the plan's validity is over", "ru": ": срок пакета закончился"},
}
_UNLESS: dict[str, dict[TimelineLanguage, str]] = {
    "never_activated": {
        "en": ", unless it is activated by then (RC 7)",
        "ru": ", если до этого её не активировать (RC 7)",
    },
    "plan_ended": {"en": ", unless it is topped up", "ru": ", если её не пополнить"},
}
_RECEIPTS: dict[str, dict[TimelineLanguage, str]] = {
    "sale": {"en": " of the payment", "ru": " об оплате"},
    "sale_return": {"en": " of the refund", "ru": " о возврате"},
}
_MEBIBYTE = 1024 * 1024
_ORDER = {fact: position for position, fact in enumerate(Fact)}


def in_order(facts: Iterable[RecordedFact]) -> list[RecordedFact]:
    """Sort by time; facts of the same time in the sequence of `Fact`."""
    return sorted(facts, key=lambda recorded: (recorded.at, _ORDER[recorded.fact], recorded.ref))


def sentence(recorded: RecordedFact, language: TimelineLanguage) -> str:
    """Describe the fact to the buyer."""
    detail = recorded.detail
    return _SENTENCES[recorded.fact][language].format(
        why=_why(detail.get("reason_code"), language),
        how=_CHANNELS.get(detail.get("channel", ""), {}).get(language, ""),
        amount=_amount(detail),
        clauses=_clauses(detail.get("clauses", ())),
        missing=_missing(detail.get("missing", ()), language),
        total=_total(detail.get("total_bytes"), language),
        ended=_ENDS.get(detail.get("reason", ""), {}).get(language, ""),
        used=_used(detail.get("percent"), language),
        last_day=_last_day(detail.get("ends_on"), language),
        unless=_UNLESS.get(detail.get("reason", ""), {}).get(language, ""),
        kind=_RECEIPTS.get(detail.get("kind", ""), {}).get(language, ""),
        link=f": {link}" if (link := detail.get("link")) else "",
        until=_until(detail.get("credited_by"), language),
        paid_way=_WAYS.get(detail.get("way", ""), {}).get(language, ""),
        sent=_SENT["way" in detail][language],
    )


def _why(code: int | None, language: TimelineLanguage) -> str:
    words = _DECLINED.get(code or 0)
    return f": {words[language]}" if words else ""


def _amount(detail: FactDetail) -> str:
    if "amount" not in detail:
        return ""
    # Every currency of the catalogue has two decimals (tiyn, cents).
    major, minor = divmod(int(detail["amount"]), 100)
    return f"{major:,}.{minor:02} {detail['currency']}".replace(",", "\u00a0")


def _clauses(clauses: Iterable[str]) -> str:
    joined = ", ".join(clauses)
    return f" ({joined})" if joined else ""


def _total(total_bytes: int | None, language: TimelineLanguage) -> str:
    if total_bytes is None:
        return ""
    megabytes = f"{total_bytes // _MEBIBYTE:,}".replace(",", "\u00a0")
    return f"; {megabytes} MB in total" if language == "en" else f"; всего {megabytes} МБ"


_FIELDS: dict[str, dict[TimelineLanguage, str]] = {
    "order_number": {"en": "the order number", "ru": "номер заказа"},
    "email": {"en": "the e-mail address", "ru": "адрес электронной почты"},
    "phone": {"en": "the phone number", "ru": "номер телефона"},
    "full_name": {"en": "the full name", "ru": "полное имя"},
    "payment_date": {"en": "the date of the payment", "ru": "дата оплаты"},
    "reason": {"en": "the reason", "ru": "причина"},
    "evidence": {"en": "screenshots or the text of the error", "ru": "снимки экрана или текст ошибки"},
}


def _missing(fields: Iterable[str], language: TimelineLanguage) -> str:
    joined = ", ".join(_FIELDS[field][language] for field in fields if field in _FIELDS)
    return f": {joined}" if joined else ""


def _until(day: str | None, language: TimelineLanguage) -> str:
    if day is None:
        return ""
    until = _in_words(day, language)
    return f"; обычно деньги приходят до {until}" if language == "ru" else f"; it usually arrives by {until}"


def _used(percent: int | None, language: TimelineLanguage) -> str:
    if percent is None:
        return ""
    return f": {percent} % is used" if language == "en" else f": использовано {percent} %"


def _last_day(day: str | None, language: TimelineLanguage) -> str:
    if day is None:
        return ""
    words = _in_words(day, language)
    return f": its last day is {words}" if language == "en" else f": последний день — {words}"


def _in_words(day: str, language: TimelineLanguage) -> str:
    moment = date.fromisoformat(day)
    return f"{moment:%d.%m.%Y}" if language == "ru" else f"{moment.day} {moment:%B %Y}"
