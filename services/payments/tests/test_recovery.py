"""Payments is recovered with an empty database: its own events, and the bank, say what was paid and returned."""

from typing import TYPE_CHECKING

from payments.app import build
from shared.contracts import OrderPaid, RefundSettled
from shared.testing.recovery import put_back

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start


async def test_captures_and_refunds_are_those_of_the_bank(start: "Start") -> None:
    running: Payments = await start(poll_first_seconds=600)
    twice, surplus = await running.paid_twice()
    kept, returned = await running.paid(order_number="10000002"), await running.paid(order_number="10000003")
    await running.stage.publish(
        running.refund_approved(returned, returned.price.amount),
        running.refund_approved(twice, surplus.amount.amount, charge_id=surplus.charge_id),
    )
    await running.stage.events(RefundSettled, count=2)
    bank = await running.sandbox.ledger_bank()

    url, report = await put_back(running.stage, running.service, build)
    assert "4 captures compared with the bank" in report
    running = await start(database_url=url, poll_first_seconds=600)
    await running.quiet()

    assert await running.sandbox.ledger_bank() == bank
    assert await running.ledger_says() == await running.bank_says()
    rows = await running.rows("SELECT order_id, transaction_id, captured_minor, refunded_minor FROM payment_orders")
    price = kept.price.amount
    assert {(row["order_id"], row["captured_minor"], row["refunded_minor"]) for row in rows} == {
        (kept.order_id, price, 0),
        (returned.order_id, price, price),
        (twice.order_id, price, 0),
    }
    assert None not in {row["transaction_id"] for row in rows}
    # A new attempt has an invoice id that the bank has never seen.
    order = await running.ordered(order_number="10000004")
    invoice = int((await running.page(order))["invoiceId"])
    assert invoice > max(int(one["invoiceID"]) for one in bank) + 100


async def test_a_capture_whose_event_was_never_published_is_found_at_the_bank(start: "Start") -> None:
    running: Payments = await start()
    order = await running.paid()
    bank = await running.sandbox.ledger_bank()

    url, report = await put_back(running.stage, running.service, build, OrderPaid)
    found = "invoice ids asked for at the bank, 1 payments found"
    assert any(found in line for line in report), (report, "it was the last one: no later event names it")
    running = await start(database_url=url)

    paid = await running.paid_event(order)
    assert paid.invoice_id == bank[0]["invoiceID"]
    await running.quiet()
    assert await running.ledger_says() == await running.bank_says()
    assert await running.sandbox.ledger_bank() == bank
