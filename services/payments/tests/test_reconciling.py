"""The daily comparison: every difference is found, logged and stored; where there is none, none is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from payments.clients.models import Expected, StatusAnswer
from payments.reconciliation.models import Difference, Ours
from payments.reconciliation.rules import differences
from sandbox.storefront import IN_PROGRESS, INSUFFICIENT_FUNDS
from shared.contracts import OrderPaid, RefundSettled
from shared.testing.documents import FieldValue

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
PRICE = 599050
SLOW = {"poll_first_seconds": 600}


@pytest.mark.parametrize("amount_after_refund", ["original", "remaining"])
@pytest.mark.parametrize("partial_refund_status", ["CHARGE", "REFUND"])
async def test_a_day_without_differences(start: "Start", amount_after_refund: str, partial_refund_status: str) -> None:
    running = await start(**SLOW)
    await running.sandbox.bank_behaviour(
        amount_after_refund=amount_after_refund, partial_refund_status=partial_refund_status
    )
    await running.paid()
    full, partial = await running.paid(), await running.paid()
    twice, _ = await running.paid_twice()
    await running.ordered()
    await running.sandbox.pay(await running.page(await running.ordered()), INSUFFICIENT_FUNDS)
    await running.stage.publish(
        running.refund_approved(full, PRICE),
        running.refund_approved(partial, 200000),
        running.refund_approved(twice, 1000),
    )
    await running.stage.events(RefundSettled, count=3)
    await running.quiet()
    found = await running.compared()
    assert found["differences"] == []
    assert found["compared"] == found["planned"] == 6


async def test_every_difference_is_found_and_a_missed_capture_is_recorded(start: "Start") -> None:
    running = await start(**SLOW)
    missed, returned = await running.ordered(), await running.paid()
    page = await running.page(missed)
    await running.sandbox.faults({"target": "bank.webhook", "effect": "drop"})
    await running.sandbox.pay(page)
    [capture] = await running.rows(
        "SELECT invoice_id, transaction_id FROM attempts WHERE order_id = :id", id=returned.order_id
    )
    at_bank = running.sandbox.stands.bank.ledger.by_id(capture["transaction_id"])
    assert at_bank is not None
    at_bank.status, at_bank.refunded = "REFUND", at_bank.captured
    found = await running.compared()
    assert {(one["invoice_id"], one["what"], one["ours"], one["banks"]) for one in found["differences"]} == {
        (page["invoiceId"], "capture_unknown_to_us", "0", str(PRICE)),
        (str(capture["invoice_id"]), "returned", "0", "REFUND"),
    }
    assert running.metric("reconciliation_differences_total", what="returned") == 1
    await running.paid_event(missed)
    await running.quiet()
    again = await running.compared()
    assert [one["what"] for one in again["differences"]] == ["returned"]
    assert len(await running.stage.all_events(OrderPaid)) == 2


async def test_a_payment_for_another_order_is_not_taken_for_a_missed_capture(start: "Start") -> None:
    running = await start(**SLOW)
    page = await running.page(await running.ordered())
    await running.sandbox.faults({"target": "bank.webhook", "effect": "drop"})
    await running.sandbox.pay(page)
    at_bank = running.sandbox.stands.bank.ledger.by_invoice(page["invoiceId"])
    assert at_bank is not None
    at_bank.data = '{"order": "1"}'
    await running.compared()
    [parked] = await running.until_rows("SELECT last_error FROM work WHERE state = 'parked'")
    assert parked["last_error"] == "the bank holds a payment that differs in data"
    assert await running.stage.all_events(OrderPaid) == []


async def test_held_money_is_found_and_captured(start: "Start") -> None:
    running = await start(**SLOW)
    order = await running.ordered()
    page = await running.page(order)
    await running.sandbox.pay(page, IN_PROGRESS)
    await running.sandbox.faults({"target": "bank.webhook", "effect": "drop"})
    await running.sandbox.settle(page["invoiceId"], "AUTH")
    found = await running.compared()
    assert [one["what"] for one in found["differences"]] == ["held_at_the_bank"]
    await running.paid_event(order)


async def test_yesterday_is_compared_once_without_a_request(start: "Start") -> None:
    running = await start(reconcile_after_seconds=0, chore_seconds=0.1)
    order = await running.paid()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    await running.rows("SELECT 1")
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "UPDATE attempts SET opened_at = :then WHERE order_id = :id", then=yesterday, id=order.order_id
        )
        await tx.execute("UPDATE housekeeping SET until = :then WHERE name = 'reconcile'", then=yesterday)
    await running.until_rows("SELECT 1 FROM reconciliations WHERE finished_at IS NOT NULL AND compared = 1")
    [row] = await running.rows("SELECT day FROM reconciliations")
    assert row["day"] == yesterday.date()
    await running.quiet()


async def test_comparisons_keep_to_the_rate_limit(start: "Start") -> None:
    running = await start(asks_per_second=20.0, poll_first_seconds=600, poll_concurrency=16)
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO payment_orders"
            " (order_id, order_number, storefront, buyer_id, kind, plan, price_minor, currency, placed_at)"
            " SELECT gen_random_uuid(), '10000001', 'esimka', gen_random_uuid(), 'esim', '{}', 100, 'USD',"
            " :now FROM generate_series(1, 60)",
            now=tx.now,
        )
        await tx.execute(
            "INSERT INTO attempts (order_id, number, secret_hash, opened_at, handed_out_at)"
            " SELECT order_id, 1, 'x', :now, :now FROM payment_orders",
            now=tx.now,
        )
    began = datetime.now(UTC)
    assert (await running.compared())["compared"] == 60
    # 20 at once, then 40 at 20 per second.
    assert (datetime.now(UTC) - began).total_seconds() > 1.9


async def test_who_may_compare_and_what(start: "Start") -> None:
    running = await start()
    today = datetime.now(UTC).date()
    path = f"/reconciliations/{today}"
    assert (await running.request("POST", path, key="shop-key")).status_code == 401
    assert (await running.get(path)).json()["type"] == "urn:problem:not-reconciled"
    tomorrow = f"/reconciliations/{today + timedelta(days=2)}"
    assert (await running.request("POST", tomorrow, key="agent-key")).status_code == 422
    assert (await running.get("/reconciliations/nonsense")).status_code == 422


def answer(status: str = "CHARGE", amount: int | None = 1000, **changes: FieldValue) -> StatusAnswer:
    known = StatusAnswer(
        result="100",
        status=status,
        amount=amount,
        currency="KZT",
        terminals=frozenset({TERMINAL}),
    )
    return replace(known, **changes)


@pytest.mark.parametrize(
    ("ours", "banks", "words"),
    [
        (Ours(1000, 0), answer(), []),
        (Ours(1000, 0), answer(currency="USD"), ["currency"]),
        (Ours(1000, 0), answer(terminals=frozenset({"x"})), ["terminal"]),
        (Ours(1000, 0), answer(amount=None), ["amount"]),
        (Ours(1000, 0), answer(amount=1001), ["amount"]),
        (Ours(1000, 0), answer(amount=900), ["returned"]),
        (Ours(1000, 0), answer("REFUND"), ["returned"]),
        (Ours(1000, 0), answer("FAILED", result="101"), ["capture_unknown_to_the_bank"]),
        (Ours(1000, 0), StatusAnswer("102"), ["capture_unknown_to_the_bank"]),
        (Ours(1000, 1000), answer("REFUND"), []),
        (Ours(1000, 1000), answer("REFUND", 0), []),
        (Ours(1000, 1000), answer("CHARGE"), ["returned"]),
        (Ours(1000, 1000), answer("REFUND", 500), ["returned"]),
        (Ours(1000, 300), answer("CHARGE"), []),
        (Ours(1000, 300), answer("REFUND"), []),
        (Ours(1000, 300), answer("REFUND", 700), []),
        (Ours(1000, 300), answer("CHARGE", 600), ["returned"]),
        (Ours(1000, 0, 300), answer("CHARGE"), ["refund_undecided"]),
        (Ours(1000, 0, 300), answer("CHARGE", 700), ["refund_undecided"]),
        (Ours(1000, 0, 1000), answer("REFUND"), ["refund_undecided"]),
        (Ours(0, 0), answer(), ["capture_unknown_to_us"]),
        (Ours(0, 0), answer("REFUND"), ["capture_unknown_to_us"]),
        (Ours(0, 0), answer("AUTH"), ["held_at_the_bank"]),
        (Ours(0, 0), answer("NEW", result="107"), []),
        (Ours(0, 0), StatusAnswer("102"), []),
    ],
)
def test_what_differs(ours: Ours, banks: StatusAnswer, words: list[str]) -> None:
    found = differences(ours, banks, Expected(123456789, 1000, "KZT", TERMINAL))
    assert [one.what for one in found] == words
    assert all(isinstance(one, Difference) and one.ours and one.banks for one in found)
