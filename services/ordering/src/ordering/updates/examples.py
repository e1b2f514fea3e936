"""One example body per type, of one invented order: for the documentation, and for test deliveries."""

from collections.abc import Mapping
from typing import Any

from ordering.updates.models import TYPES, UpdateType

_ORDER: dict[str, Any] = {
    "order_id": "019aa5b0-2f10-7c44-9d5e-3f7a2b10c5d8",
    "order_number": "100000417",
    "submission_id": "basket-81723",
    "kind": "esim",
    "status": "paid",
    "plan_id": "tr-5gb-30d",
    "price": {"amount": 1490, "currency": "USD"},
    "test": False,
}
_CASE = "019aa5b0-d0c2-7a90-8b1f-52f1c7c0a9d4"
_REFUND = {
    "refund_id": "019aa5b0-d0c2-7a90-8b1f-5a6f0b7d3c11",
    "amount": {"amount": 1490, "currency": "USD"},
    "attempt": 1,
    "surplus": False,
}
_GIBIBYTE = 2**30
#: What differs from the order in status `paid`.
_FIELDS: Mapping[UpdateType, dict[str, Any]] = {
    "order.accepted": {"status": "placed"},
    "order.rejected": {
        "status": "refused",
        "reason": "refused-by-agent",
        "errors": [],
    },
    "order.held": {"status": "held"},
    "order.released": {"status": "placed"},
    "order.payment_failed": {"status": "payment_failed", "reason_code": 484},
    "order.lapsed": {"status": "lapsed"},
    "order.delivered": {"status": "delivered", "channel": "email"},
    "order.delivery_failed": {"status": "delivery_failed", "smtp_code": 550},
    "order.failed": {"status": "provisioning_failed"},
    "refund.requested": {"status": "refund_requested", "case_id": _CASE, "appeal": False, "surplus": False},
    "refund.information_needed": {"status": "refund_requested", "case_id": _CASE, "missing": ["evidence"]},
    "refund.approved": {"status": "refund_approved", **_REFUND, "clauses": ["RF 2.3"]},
    "refund.denied": {"status": "delivered", "case_id": _CASE, "clauses": ["RF 3.1"]},
    "refund.settled": {"status": "refunded", **_REFUND, "credited_by": "2026-12-04", "way": None},
    "refund.failed": {"status": "refund_failed", **_REFUND},
    "esim.installed": {"status": "delivered"},
    "esim.first_used": {"status": "delivered"},
    "esim.data_low": {
        "status": "delivered",
        "percent": 80,
        "used_bytes": 4 * _GIBIBYTE,
        "total_bytes": 5 * _GIBIBYTE,
    },
    "esim.expiring": {
        "status": "delivered",
        "reason": "plan_ended",
        "ends_at": "2026-12-21T20:00:00Z",
        "ends_on": "2026-12-21",
    },
    "esim.expired": {"status": "expired", "reason": "plan_ended"},
    "esim.revoked": {"status": "revoked"},
    "esim.topped_up": {"status": "topped_up", "kind": "top_up", "total_bytes": 10 * _GIBIBYTE},
    "buyer.erased": {"status": "delivered"},
}
#: Whole bodies, by type.
EXAMPLES: Mapping[UpdateType, dict[str, Any]] = {
    type_: {"type": type_, "timestamp": "2026-11-21T09:30:41.240000Z", "data": {**_ORDER, **_FIELDS.get(type_, {})}}
    for type_ in TYPES
}
