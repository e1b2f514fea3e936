"""The facts of one invented order, as examples for the documentation of the interfaces."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from shared.contracts.base import Event, Money, Plan
from shared.contracts.notifications import QrDelivered
from shared.contracts.ordering import BuyerContact, OrderPlaced
from shared.contracts.payments import OrderPaid, RefundSettled
from shared.contracts.provisioning import DataLow, OperatorStatus, ProfileExpiring, ProfileFailed, ProfileGenerated
from shared.contracts.refunds import Explanation, Ground, RefundApproved, RefundRequested
from shared.contracts.storefront import Buyer, OrderRequest, OrderSubmitted
from shared.sealed import Sealed

_PLACED = datetime(2026, 11, 21, 9, 30, 0, tzinfo=UTC)
_PAID = _PLACED + timedelta(seconds=41)
_BUYER = UUID("019aa5b0-2f10-7c44-9d5e-0c6b1f9a7e21")
_CASE = UUID("019aa5b0-d0c2-7a90-8b1f-52f1c7c0a9d4")
_REFUND = UUID("019aa5b0-d0c2-7a90-8b1f-5a6f0b7d3c11")
_ORDER = {
    "order_id": UUID("019aa5b0-2f10-7c44-9d5e-3f7a2b10c5d8"),
    "order_number": "100000417",
    "storefront": "esimka",
    "buyer_id": _BUYER,
}
_PLAN = Plan(
    id="tr-5gb-30d", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD"
)
_PRICE = Money(amount=1490, currency="USD")
ORDER_REQUEST = OrderRequest(
    plan="tr-5gb-30d",
    buyer=Buyer(name="Ann Example", email="ann@example.org", phone="+995555000111", language="en"),
    device_compatible=True,
    offer_version="2026-01",
    privacy_version="2026-01",
)

_FACTS: tuple[Event, ...] = (
    OrderSubmitted(storefront="esimka", submission_id="basket-81723", order=ORDER_REQUEST.model_dump(mode="json")),
    BuyerContact(
        buyer_id=_BUYER,
        storefront="esimka",
        name="Ann Example",
        email="ann@example.org",
        phone="+995555000111",
        language="en",
        newsletter=False,
        updated_at=_PLACED,
    ),
    OrderPlaced.model_validate(
        _ORDER
        | {
            "kind": "esim",
            "plan": _PLAN,
            "price": _PRICE,
            "offer_version": "2026-01",
            "privacy_version": "2026-01",
            "placed_at": _PLACED,
            "submission_id": "basket-81723",
        }
    ),
    OrderPaid.model_validate(
        _ORDER | {"kind": "esim", "plan": _PLAN, "paid": _PRICE, "invoice_id": "100000417", "paid_at": _PAID}
    ),
    ProfileGenerated.model_validate(
        _ORDER
        | {
            "plan": _PLAN,
            "iccid": "8990011916180280000",
            "activation_code": Sealed(recipient="notifications", box="q2h5c3RhbmQtaW4gZm9yIGEgc2VhbGVkIGJveA=="),
            "operator": "primary",
            "paid_at": _PAID,
            "generated_at": _PAID + timedelta(milliseconds=240),
            "valid_until": _PAID + timedelta(days=180),
        }
    ),
    ProfileFailed.model_validate(
        _ORDER
        | {
            "plan": _PLAN,
            "operator": "primary",
            "statuses": (OperatorStatus(subject_code="8.2.5", reason_code="3.9", message="No such profile type"),),
            "reason": "refused",
            "paid_at": _PAID,
            "failed_at": _PAID + timedelta(seconds=1),
        }
    ),
    QrDelivered.model_validate(
        _ORDER | {"channel": "email", "paid_at": _PAID, "delivered_at": _PAID + timedelta(milliseconds=610)}
    ),
    DataLow.model_validate(
        _ORDER
        | {
            "plan": _PLAN,
            "iccid": "8990011916180280000",
            "threshold_percent": 80,
            "used_bytes": 4_313_842_483,
            "total_bytes": 5_368_709_120,
            "observed_at": _PAID + timedelta(days=9),
        }
    ),
    ProfileExpiring.model_validate(
        _ORDER
        | {
            "plan": _PLAN,
            "iccid": "8990011916180280000",
            "reason": "plan_ended",
            "ends_at": _PAID + timedelta(days=31),
            "ends_on": date(2026, 12, 22),
            "announced_at": _PAID + timedelta(days=29),
        }
    ),
    RefundRequested.model_validate(
        _ORDER
        | {
            "case_id": _CASE,
            "reason": "profile_failed",
            "origin": "system",
            "requested_at": _PAID + timedelta(seconds=1),
            "channel": "system",
        }
    ),
    RefundApproved.model_validate(
        _ORDER
        | {
            "case_id": _CASE,
            "refund_id": _REFUND,
            "amount": _PRICE,
            "policy": "esimka/2026-01",
            "grounds": (Ground(document="RF", clause="2.3", text="The eSIM could not be provided."),),
            "explanation": Explanation(en="The eSIM could not be provided.", ru="Не удалось предоставить eSIM."),
            "approved_at": _PAID + timedelta(seconds=1),
            "credited_by": date(2026, 12, 4),
        }
    ),
    RefundSettled.model_validate(
        _ORDER
        | {
            "refund_id": _REFUND,
            "amount": _PRICE,
            "settled_at": _PAID + timedelta(seconds=2),
            "credited_by": date(2026, 12, 4),
        }
    ),
)
#: By topic.
EXAMPLES: dict[str, Event] = {fact.topic: fact for fact in _FACTS}
