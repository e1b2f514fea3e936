"""Whether a mail still has anything to say by the time it can be sent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

#: What makes a kind of mail pointless once it is known of the order.
_OVER: Mapping[str, tuple[str, ...]] = {
    "order": ("generated_at", "failed_at", "topped_up_at"),
    "delay": ("generated_at", "failed_at", "topped_up_at"),
    "qr": ("revoked_at", "expired_at"),
    "resend": ("revoked_at", "expired_at"),
    "expiring": ("installed_at", "activated_at", "expired_at", "revoked_at", "refunded_at"),
    "ending": ("expired_at", "revoked_at", "refunded_at"),
    "refused": ("refunded_at",),
    "held": ("paid_at", "generated_at"),
}
#: Sent although the buyer's data are blocked (PP 6.2): what the buyer asked for (codes, resends, answers about refunds
#: and claims), and what the law has us tell them (fiscal receipts, and money that goes back).
EVEN_IF_BLOCKED = frozenset(
    {
        "code",
        "resend",
        "receipt",
        "refund",
        "settled",
        "refused",
        "paid_by_hand",
        "information",
        "denied",
        "appeal",
        "claim",
    }
)
#: What a mail is decided by, as columns of `orders`.
COLUMNS = tuple(sorted({column for columns in _OVER.values() for column in columns} | {"plan_ends_at"}))


def is_pointless(kind: str, order: Mapping[str, datetime | None], fact: Any) -> bool:
    """`order`: what is known of the order now (COLUMNS); `fact`: what the mail was made from."""
    if any(order[column] is not None for column in _OVER.get(kind, ())):
        return True
    ends_at = order["plan_ends_at"]
    return kind == "ending" and ends_at is not None and ends_at > fact.ends_at


def is_over(fact: Any, now: datetime) -> bool:
    """Whether the time that a mail speaks of has passed: a code that is not valid any more, a plan that has ended."""
    end = getattr(fact, "expires_at", None) or getattr(fact, "ends_at", None)
    return end is not None and end <= now
