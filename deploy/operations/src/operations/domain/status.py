"""Where an order stands, in a word, from the moments that are known of it. A later stage implies the earlier ones."""

from collections.abc import Mapping

#: The first that is known decides; as ordering derives it (ordering's README), without its finer distinctions.
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
    """One word for a row of `orders`; a request for a refund counts while its last denial is older."""
    known = dict(moments)
    requested, denied = known.get("refund_requested_at"), known.get("refund_denied_at")
    known["refund_open_at"] = requested if denied is None else None
    return next((word for column, word in _PRECEDENCE if known.get(column) is not None), "placed")
