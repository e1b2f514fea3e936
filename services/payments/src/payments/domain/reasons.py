"""Epay's reasonCodes as sentences (interfaces.md section 1)."""

NOT_FINAL = 454

_CANCELLED = "The payment was cancelled before any money was taken."
_DECLINED = "The bank declined the payment."
_SYSTEM = "The bank had a technical problem; no money was taken. Please try again."
_EXPIRED = "The card has expired."
_BLOCKED = "The card or the account is blocked. Please ask the bank that issued it."
_NUMBER = "The card number is wrong."
_SECURE = "The 3-D Secure check failed."
_ISSUER = "The bank that issued the card cannot be reached. Please try again later."
_OTHER = "The bank could not complete the payment; no money was taken."

_SENTENCES = {
    0: _DECLINED,
    NOT_FINAL: "The bank has not decided yet.",
    455: "The 3-D Secure check is unavailable. Please try again, or use another card.",
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
    476: "The bank asks to try again in 30 minutes or later.",
    484: "There is not enough money on the card.",
    488: "The amount is above the card's limit.",
    491: "The card has been used too often; its limit of payments is reached.",
    493: _ISSUER,
    494: _ISSUER,
    **dict.fromkeys(range(521, 530), _OTHER),
}
_CANCEL_STATES = frozenset({"CANCEL", "CANCEL_OLD"})


def sentence(reason_code: int, status: str = "") -> str:
    """Why an attempt failed, for buyer and agent. Unknown codes get a general sentence."""
    if status in _CANCEL_STATES:
        return _CANCELLED
    return _SENTENCES.get(reason_code, _DECLINED)
