"""Sentences for Epay's reasonCodes (docs/wire/epay.md): for buyers in English and Russian, and for agents."""

from collections.abc import Mapping
from dataclasses import dataclass

NOT_FINAL = 454


@dataclass(slots=True, frozen=True)
class Reason:
    """Why a payment failed. `advice` is what an agent recommends to the buyer."""

    en: str
    ru: str
    advice: str


_CANCELLED = Reason(
    "The payment was cancelled before any money was taken.",
    "Платёж отменён, деньги не списаны.",
    "No money moved. The buyer may pay again.",
)
_DECLINED = Reason(
    "The bank declined the payment.",
    "Банк отклонил платёж.",
    "The issuer gave no usable reason. Another card, or a call to the issuer.",
)
_SYSTEM = Reason(
    "The bank had a technical problem; no money was taken. Please try again.",
    "У банка технический сбой, деньги не списаны. Попробуйте ещё раз.",
    "A fault of the payment system, not of the card. Try again in a few minutes; if it persists, tell the bank.",
)
_EXPIRED = Reason(
    "The card has expired.", "Срок действия карты истёк.", "Another card, or the expiry date was mistyped."
)
_BLOCKED = Reason(
    "The card or the account is blocked. Please ask the bank that issued it.",
    "Карта или счёт заблокированы. Обратитесь в банк, выпустивший карту.",
    "Only the issuer can lift it. Another card.",
)
_NUMBER = Reason("The card number is wrong.", "Неверный номер карты.", "The buyer mistyped the number.")
_SECURE = Reason(
    "The 3-D Secure check failed.",
    "Не пройдена проверка 3-D Secure.",
    "Wrong or late confirmation code. Try again; if it fails again, the issuer must help.",
)
_ISSUER = Reason(
    "The bank that issued the card cannot be reached. Please try again later.",
    "Банк, выпустивший карту, недоступен. Попробуйте позже.",
    "The issuer does not answer Epay. Later, or another card.",
)
_OTHER = Reason(
    "The bank could not complete the payment; no money was taken.",
    "Банк не смог провести платёж, деньги не списаны.",
    "Epay's codes 521-529 carry no public meaning. Try again, then another card.",
)

_REASONS: Mapping[int, Reason] = {
    0: _DECLINED,
    NOT_FINAL: Reason(
        "The bank has not decided yet.",
        "Банк ещё не принял решение.",
        "Not final: we keep asking the bank.",
    ),
    455: Reason(
        "The 3-D Secure check is unavailable. Please try again, or use another card.",
        "Проверка 3-D Secure недоступна. Попробуйте ещё раз или возьмите другую карту.",
        "The issuer's 3-D Secure does not answer.",
    ),
    456: _SYSTEM,
    461: _SYSTEM,
    457: _EXPIRED,
    478: _EXPIRED,
    485: _EXPIRED,
    465: _BLOCKED,
    467: _BLOCKED,
    479: _BLOCKED,
    489: _BLOCKED,
    471: _NUMBER,
    472: _NUMBER,
    473: _SECURE,
    499: _SECURE,
    476: Reason(
        "The bank asks to try again in 30 minutes or later.",
        "Банк просит повторить попытку не раньше чем через 30 минут.",
        "Not before half an hour has passed.",
    ),
    484: Reason(
        "There is not enough money on the card.",
        "На карте недостаточно денег.",
        "Another card, or after topping up.",
    ),
    488: Reason(
        "The amount is above the card's limit.",
        "Сумма превышает лимит карты.",
        "The buyer can raise the limit at the issuer, or take another card.",
    ),
    491: Reason(
        "The card has been used too often; its limit of payments is reached.",
        "Превышено допустимое число платежей по карте.",
        "Tomorrow, or another card.",
    ),
    493: _ISSUER,
    494: _ISSUER,
    **dict.fromkeys(range(521, 530), _OTHER),
}
_CANCEL_STATES = frozenset({"CANCEL", "CANCEL_OLD"})


def reason(reason_code: int, status: str = "") -> Reason:
    """The reason for a code and a statusName; a general one for unknown codes."""
    if status in _CANCEL_STATES:
        return _CANCELLED
    return _REASONS.get(reason_code, _DECLINED)


def sentences(reason_code: int) -> dict[str, str]:
    """Why an attempt failed, by language."""
    why = reason(reason_code)
    return {"en": why.en, "ru": why.ru}


def advice(reason_code: int) -> str:
    """What an agent should know, with the bank's code."""
    return f"{reason(reason_code).advice} (Epay reasonCode {reason_code})"
