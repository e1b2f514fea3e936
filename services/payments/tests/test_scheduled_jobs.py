"""Scheduled jobs: lapsed orders, promised dates, the balance of the ledger."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from shared.contracts import OrderPaid, OrderPlaced, PaymentLapsed, RefundSettled

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

PRICE = 599050
SLOW = {"poll_first_seconds": 600}


async def let_time_pass(running: "Payments", *orders: OrderPlaced) -> None:
    """The time of these orders is over now."""
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "UPDATE payment_orders SET lapse_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[]))",
            now=tx.now,
            ids=[order.order_id for order in orders],
        )


async def test_an_unpaid_order_lapses_and_a_late_payment_still_counts(start: "Start") -> None:
    running = await start(chore_seconds=0.05)
    order = await running.ordered()
    page = await running.page(order)
    await let_time_pass(running, order)
    [lapsed] = await running.stage.events(PaymentLapsed)
    assert (lapsed.event.order_id, lapsed.event.order_number) == (order.order_id, order.order_number)
    answer = await running.post(f"/orders/{order.order_id}/payment")
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:problem:payment-lapsed")
    await running.sandbox.pay(page)
    await running.paid_event(order)
    await running.quiet()
    assert len(await running.stage.all_events(PaymentLapsed)) == 1


async def test_each_storefront_has_its_own_time_and_paid_orders_do_not_lapse(start: "Start") -> None:
    running = await start(
        payment_lapse_seconds=600, storefront_lapse_seconds={"esimka": 1200.0}, chore_seconds=0.05, **SLOW
    )
    paid, patient, short = await running.paid(), await running.ordered(storefront="esimka"), await running.ordered()
    await running.until_rows("SELECT 1 FROM payment_orders OFFSET 2")
    rows = await running.rows("SELECT storefront, lapse_at - placed_at AS time FROM payment_orders")
    now = datetime.now(UTC)
    held = await running.ordered(placed_at=now - timedelta(days=3), released_at=now)
    [row] = await running.until_rows("SELECT lapse_at FROM payment_orders WHERE order_id = :id", id=held.order_id)
    assert row["lapse_at"] == now + timedelta(seconds=600), "its time to pay begins when it is released"
    assert {(row["storefront"], row["time"].total_seconds()) for row in rows} == {("qazaq-esim", 600), ("esimka", 1200)}
    await let_time_pass(running, paid, short)
    [lapsed] = await running.stage.events(PaymentLapsed)
    assert lapsed.event.order_id == short.order_id
    rows = await running.rows("SELECT order_id, lapsed_at IS NULL AS waits FROM payment_orders")
    assert {row["order_id"] for row in rows if row["waits"]} == {paid.order_id, patient.order_id, held.order_id}


async def test_thousands_of_orders_lapse_in_steps(start: "Start") -> None:
    running = await start(payment_lapse_seconds=1.0, chore_seconds=0.1)
    orders = [running.order_placed() for _ in range(2300)]
    await running.stage.publish(*orders)
    found = await running.stage.events(PaymentLapsed, count=2300)
    assert {one.event.order_id for one in found} == {order.order_id for order in orders}
    await running.quiet()
    assert len(await running.stage.all_events(PaymentLapsed)) == 2300


async def test_a_refund_is_reported_before_its_promised_date_and_after_it(start: "Start") -> None:
    running = await start(chore_seconds=0.05, refund_warn_seconds=600)
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "effect": "http_error", "status": 429})
    soon = running.refund_approved(order, PRICE, pay_by=datetime.now(UTC) + timedelta(seconds=300))
    await running.stage.publish(soon)
    await running.until_rows("SELECT 1 FROM refunds WHERE warned_at IS NOT NULL AND missed_at IS NULL")

    async def shown() -> bool:
        return bool((running.metric("refunds_due_soon"), running.metric("refunds_overdue")) == (1, 0))

    await running.stage.eventually(shown)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE refunds SET pay_by = :now", now=tx.now)
    await running.until_rows("SELECT 1 FROM refunds WHERE missed_at IS NOT NULL")

    async def overdue() -> bool:
        return bool((running.metric("refunds_due_soon"), running.metric("refunds_overdue")) == (0, 1))

    await running.stage.eventually(overdue)
    await running.sandbox.clear_faults()
    await running.stage.events(RefundSettled)

    async def over() -> bool:
        return bool(running.metric("refunds_overdue") == 0)

    await running.stage.eventually(over)


async def test_a_ledger_that_disagrees_raises_an_alarm_until_it_agrees(start: "Start") -> None:
    running = await start(chore_seconds=0.05, chore_margin_seconds=5.0)
    order = await running.paid()
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE payment_orders SET refunded_minor = 500")
    [off] = await running.until_rows("SELECT order_id, off_minor FROM ledger_imbalances")
    assert off == {"order_id": order.order_id, "off_minor": 500}

    async def shows(figure: float) -> bool:
        return bool(running.metric("ledger_imbalance") == figure)

    await running.stage.eventually(lambda: shows(500))
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE payment_orders SET refunded_minor = 0")
    await running.stage.eventually(lambda: shows(0))


async def test_two_instances_run_each_job_once(start: "Start") -> None:
    first = await start(payment_lapse_seconds=0.5, chore_seconds=0.05)
    await start(database_url=first.service.settings.database_url, payment_lapse_seconds=0.5, chore_seconds=0.05)
    orders = [first.order_placed() for _ in range(50)]
    await first.stage.publish(*orders)
    await first.stage.events(PaymentLapsed, count=50)
    await first.quiet()
    assert len(await first.stage.all_events(PaymentLapsed)) == 50
    assert await first.stage.all_events(OrderPaid) == []
