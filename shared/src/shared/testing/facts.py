"""Facts for tests."""

from datetime import UTC, datetime
from uuid import UUID

from shared.contracts import BuyerContact, Money, OrderPaid, Plan
from shared.ids import uuid7

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="std")


def paid(title: str = PLAN.title, order_id: UUID | None = None) -> OrderPaid:
    return OrderPaid(
        order_id=order_id or uuid7(),
        order_number="10000001",
        storefront="esimka",
        buyer_id=uuid7(),
        kind="esim",
        plan=PLAN.model_copy(update={"title": title}),
        paid=Money(amount=1500, currency="USD"),
        invoice_id="1000001",
        paid_at=datetime.now(UTC),
    )


def contact() -> BuyerContact:
    return BuyerContact(
        buyer_id=uuid7(),
        storefront="esimka",
        name="Ann",
        email="ann@example.org",
        phone="+995555000111",
        language="en",
        newsletter=False,
        updated_at=datetime.now(UTC),
    )
