"""The status of an order, from its known times. A later stage implies the earlier ones."""

from collections.abc import Mapping
from datetime import datetime

#: The first that is known decides; as ordering derives it (ordering's README), without its finer distinctions.
#: `refund_open_at`: the last request or appeal of a case that was not denied after it.
_PRECEDENCE = (
    ("refund_settled_at", "refunded"),
    ("refund_failed_at", "refund_failed"),
    ("refund_approved_at", "refund_approved"),
    ("refund_open_at", "refund_requested"),
    ("revoked_at", "revoked"),
    ("expired_at", "expired"),
    ("delivered_at", "delivered"),
    ("top_up_applied_at", "topped_up"),
    ("profile_failed_at", "provisioning_failed"),
    ("delivery_failed_at", "delivery_failed"),
    ("generated_at", "profile_ready"),
    ("paid_at", "paid"),
    ("payment_lapsed_at", "lapsed"),
    ("payment_failed_at", "payment_failed"),
    ("refused_at", "refused"),
    ("held_at", "held"),
)


def status(moments: Mapping[str, object]) -> str:
    """The status of a row of `orders` with its `refund_open_at`."""
    if moments.get("released_at") is not None:
        moments = {**moments, "held_at": None}
    failed, retried = moments.get("refund_failed_at"), moments.get("refund_retried_at")
    if isinstance(failed, datetime) and isinstance(retried, datetime) and retried > failed:
        # The refund was requested from the bank again, so it is under way.
        moments = {**moments, "refund_failed_at": None, "refund_approved_at": retried}
    return next((word for column, word in _PRECEDENCE if moments.get(column) is not None), "placed")
