"""Metrics of orders: the time from payment to delivery, and recent orders by status."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ordering.app import build
from ordering.settings import Settings
from ordering.tables import orders
from ordering.timeline import record
from ordering.timeline.models import Fact, RecordedFact, Status
from shared.contracts import QrDelivered
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.testing.facts import PLAN
from shared.testing.stage import Stage

pytestmark = pytest.mark.infra


def metric(service: Service, name: str, **labels: str) -> float | None:
    return service.metrics.registry.get_sample_value(name, labels)


async def place(tx: Tx, order_id: UUID) -> None:
    row = {
        "order_id": order_id,
        "storefront": "esimka",
        "buyer_id": uuid7(),
        "kind": "new",
        "iccid": None,
        "plan": PLAN.model_dump(mode="json"),
        "price": 990,
        "currency": "USD",
        "offer_version": "1",
        "privacy_version": "1",
        "placed_at": tx.now,
        "trace": None,
    }
    await tx.insert(orders, [row])


async def test_recent_orders_are_counted_by_their_status(stage: Stage) -> None:
    service = await stage.service(build, Settings)
    stories = [(), (Fact.ORDER_PAID,), (Fact.QR_DELIVERED, Fact.ORDER_PAID), (Fact.ORDER_PAID, Fact.QR_DELIVERED)]
    async with service.database.transaction() as tx:
        for story in stories:
            order_id = uuid7()
            await place(tx, order_id)
            await record(tx, [(order_id, RecordedFact(fact, tx.now)) for fact in story])
        # Of yesterday: not counted any more.
        await place(tx, UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0001))
    await service._backlog.count()
    shown = {status: metric(service, "orders_recent", status=status) for status in Status}
    wanted = {Status.PLACED: 1.0, Status.PAID: 1.0, Status.DELIVERED: 2.0}
    assert shown == {status: wanted.get(status, 0.0) for status in Status}


async def test_the_time_from_payment_to_delivery_is_observed_once(stage: Stage) -> None:
    service = await stage.service(build, Settings)
    paid_at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    fact = QrDelivered(
        order_id=uuid7(),
        order_number="10000001",
        storefront="esimka",
        buyer_id=uuid7(),
        channel="email",
        paid_at=paid_at,
        delivered_at=paid_at + timedelta(seconds=0.7),
    )
    sent = await stage.publish(fact)
    await stage.republish(*sent)

    async def read_twice() -> bool:
        return bool(service.metrics.duplicates._value.get() == 1)

    await stage.eventually(read_twice)
    assert metric(service, "order_delivery_seconds_count", storefront="esimka") == 1
    assert metric(service, "order_delivery_seconds_sum", storefront="esimka") == pytest.approx(0.7)
    assert metric(service, "order_delivery_seconds_bucket", storefront="esimka", le="0.5") == 0
    assert metric(service, "order_delivery_seconds_bucket", storefront="esimka", le="0.75") == 1
