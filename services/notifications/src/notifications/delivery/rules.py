"""Decides whether an email still has a purpose by the time it can be sent, and makes the events about deliveries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.contracts import DataLow, DeliveryFailed, ProfileGenerated, QrDelivered, order_fields
from shared.contracts.notifications import Channel
from shared.sealed import Opener
from shared.values.activation_code import ActivationCode

#: By kind of email: the columns of `orders` of which any value makes the email pointless.
_POINTLESS_AFTER: Mapping[str, tuple[str, ...]] = {
    "order": ("generated_at", "failed_at", "topped_up_at"),
    "delay": ("generated_at", "failed_at", "topped_up_at"),
    "qr": ("revoked_at", "expired_at"),
    "resend": ("revoked_at", "expired_at"),
    "data_low": ("expired_at", "revoked_at", "refunded_at"),
    "expiring": ("installed_at", "activated_at", "expired_at", "revoked_at", "refunded_at"),
    "ending": ("expired_at", "revoked_at", "refunded_at"),
    "refused": ("refunded_at",),
    "held": ("paid_at", "generated_at"),
    "released": ("paid_at", "generated_at"),
    "lapsed": ("paid_at", "generated_at"),
    "expired": ("refunded_at", "revoked_at"),
}
#: By kind of email: the kinds about the same order, sent or not, of which any makes the email false.
_FALSE_BESIDE: Mapping[str, frozenset[str]] = {
    "held": frozenset({"released", "declined", "lapsed"}),
    "released": frozenset({"lapsed"}),
}
#: Sent although the buyer's data is blocked (PP 6.2): what the buyer requested (codes, resends, links, answers about
#: refunds and claims), and what the law requires (fiscal receipts, and refunds of money).
EVEN_IF_BLOCKED = frozenset(
    {
        "code",
        "resend",
        "link",
        "receipt",
        "refund",
        "settled",
        "refused",
        "paid_by_hand",
        "information",
        "registered",
        "cancelled",
        "denied",
        "appeal",
        "claim",
        "claim_answered",
        "answer",
    }
)
#: For the kinds in NEEDS_BESIDE: the kinds of the order's emails.
BESIDE = "beside"
NEEDS_BESIDE = tuple(sorted(_FALSE_BESIDE))
#: The columns of `orders` that these decisions need.
COLUMNS = tuple(
    sorted(
        {column for columns in _POINTLESS_AFTER.values() for column in columns}
        | {"plan_ends_at", "used_bytes", "total_bytes"}
    )
)


def is_pointless(kind: str, order: Mapping[str, Any], event: Any) -> bool:
    """Whether the order's present state (COLUMNS, BESIDE) makes an email about this event pointless."""
    if any(order[column] is not None for column in _POINTLESS_AFTER.get(kind, ())):
        return True
    if kind in _FALSE_BESIDE and not _FALSE_BESIDE[kind].isdisjoint(order[BESIDE]):
        return True
    if kind == "data_low":
        return _is_topped_up(order, event)
    ends_at = order["plan_ends_at"]
    return kind == "ending" and ends_at is not None and ends_at > event.ends_at


def _is_topped_up(order: Mapping[str, Any], event: DataLow) -> bool:
    """Whether less of the data is used than the event says, since there is more of it now."""
    total = order["total_bytes"]
    if total is None or total <= event.total_bytes:
        return False
    used = max(event.used_bytes, order["used_bytes"] or 0)
    return bool(used * 100 < event.threshold_percent * total)


def is_over(event: Any, now: datetime) -> bool:
    """Whether the time that an email is about has passed: a code has expired, or a plan has ended."""
    end = getattr(event, "expires_at", None) or getattr(event, "ends_at", None)
    return end is not None and end <= now


def qr_delivered(event: ProfileGenerated, channel: Channel, at: datetime) -> QrDelivered:
    """The event that the activation code reached the buyer."""
    return QrDelivered(**order_fields(event), channel=channel, paid_at=event.paid_at, delivered_at=at)


def delivery_failed(event: ProfileGenerated, code: int, enhanced: str | None, at: datetime) -> DeliveryFailed:
    """The event that the mailbox refuses the email with the activation code; it holds codes only."""
    return DeliveryFailed(**order_fields(event), channel="email", smtp_code=code, enhanced_code=enhanced, failed_at=at)


def open_code(opener: Opener, event: ProfileGenerated) -> tuple[ActivationCode, str | None]:
    """The activation code and the confirmation code, opened. Raises CannotOpenError, InvalidValueError."""
    sealed = event.confirmation_code
    code = ActivationCode.parse(opener.open(event.activation_code).decode("utf-8", "replace"))
    return code, None if sealed is None else opener.open(sealed).decode("utf-8", "replace")
