"""The ledger's constraints, and what agents see of it."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from payments.ledger import store as ledger
from payments.tables import ledger as postings
from shared.contracts import OrderPlaced, RefundSettled
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

PRICE = 599050


async def post(running: "Payments", order: OrderPlaced, **changes: object) -> None:
    async with running.service.database.transaction() as tx:
        row: dict[str, object] = {
            "order_id": order.order_id,
            "kind": "refund_promised",
            "key": str(uuid7()),
            "posted_at": tx.now,
            "storefront": order.storefront,
            "invoice_id": 100000001,
            "debit": "buyer_funds",
            "credit": "refunds_payable",
            "amount_minor": 1,
            "currency": "KZT",
        }
        await tx.insert(postings, [{**row, **changes}], on_conflict="")


@pytest.mark.parametrize("statement", ["UPDATE ledger SET amount_minor = 1", "DELETE FROM ledger", "TRUNCATE ledger"])
async def test_a_posting_cannot_be_changed_or_deleted(start: "Start", statement: str) -> None:
    running = await start()
    await running.paid()
    before = await running.rows("SELECT * FROM ledger")
    with pytest.raises(Exception, match="append-only"):
        async with running.service.database.transaction() as tx:
            await tx.execute(statement)
    assert await running.rows("SELECT * FROM ledger") == before


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"amount_minor": PRICE + 1}, "ledger_not_overdrawn|overdraw"),
        ({"currency": "USD"}, "currency of its order"),
        ({"order_id": uuid7()}, "currency of its order"),
        ({"amount_minor": 0}, "ledger_amount"),
        ({"amount_minor": -1}, "ledger_amount"),
        ({"credit": "bank_clearing"}, "ledger_accounts"),
        ({"kind": "refund_settled", "debit": "refunds_payable", "credit": "bank_clearing"}, "overdraw"),
        ({"kind": "capture", "debit": "bank_clearing", "credit": "bank_clearing"}, "ledger_accounts"),
        ({"kind": "gift"}, "ledger_accounts"),
    ],
)
async def test_the_database_refuses_wrong_postings(start: "Start", changes: JsonObject, rule: str) -> None:
    running = await start()
    order = await running.paid()
    before = await running.rows("SELECT * FROM ledger")
    with pytest.raises(Exception, match=rule):
        await post(running, order, **changes)
    assert await running.rows("SELECT * FROM ledger") == before


async def test_one_posting_per_business_key(start: "Start") -> None:
    running = await start()
    order = await running.paid()
    await post(running, order, key="r1")
    with pytest.raises(Exception, match="ledger_pkey"):
        await post(running, order, key="r1")


async def test_agents_read_the_ledger_of_an_order(start: "Start") -> None:
    running = await start()
    order = await running.paid()
    path = f"/orders/{order.order_id}/ledger"
    for key in (None, "wrong", "shop-key"):
        refused = await running.get(path, key=key)
        assert refused.status_code == 401
        assert refused.headers["content-type"] == "application/problem+json"
    assert (await running.get(f"/orders/{uuid7()}/ledger")).json()["type"] == "urn:problem:order-not-known"
    approved = running.refund_approved(order, 200000)
    await running.stage.publish(approved)
    await running.stage.events(RefundSettled)
    found = (await running.get(path)).json()
    assert (found["paid_in"], found["paid_out"], found["currency"]) == (PRICE, 200000, "KZT")
    assert found["balances"] == {
        "bank_clearing": PRICE - 200000,
        "buyer_funds": 200000 - PRICE,
        "refunds_payable": 0,
    }
    assert sum(found["balances"].values()) == 0
    assert [(one["kind"], one["debit"], one["credit"], one["amount"]) for one in found["postings"]] == [
        ("capture", "bank_clearing", "buyer_funds", PRICE),
        ("refund_promised", "buyer_funds", "refunds_payable", 200000),
        ("refund_settled", "refunds_payable", "bank_clearing", 200000),
    ]
    assert found["postings"][1]["key"] == str(approved.refund_id)


async def test_revenue_is_recognised_once_and_a_late_refund_comes_from_it(start: "Start") -> None:
    running = await start()
    order = await running.paid()
    await running.stage.publish(running.refund_approved(order, 100000))
    await running.stage.events(RefundSettled)
    [order_row] = await running.rows("SELECT paid_at FROM payment_orders")
    for _ in range(2):
        async with running.service.database.transaction() as tx:
            assert await ledger.recognise(tx, order_row["paid_at"], tx.now) == (tx.now, False)
    await running.sandbox.faults({"target": "bank.refund", "effect": "refuse", "code": 7, "times": 1})
    await running.stage.publish(running.refund_approved(order, 50000))
    await running.until_rows("SELECT 1 FROM refunds WHERE state = 'failed'")
    await running.stage.publish(running.refund_approved(order, 400000))
    await running.stage.events(RefundSettled, count=2)
    found = (await running.get(f"/orders/{order.order_id}/ledger")).json()
    assert found["balances"] == {
        "bank_clearing": PRICE - 500000,
        "buyer_funds": 0,
        "refunds_payable": 0,
        "revenue": 500000 - PRICE,
    }


async def test_what_an_older_version_recorded_without_postings_is_posted_late(start: "Start") -> None:
    """Its captures and refunds have no postings; a refund, or the day's comparison, finds them."""
    running = await start(chore_seconds=0.1, chore_margin_seconds=1.0)
    orders = [await running.paid() for _ in range(2)]
    async with running.service.database.transaction() as tx:
        await tx.execute("ALTER TABLE ledger DISABLE TRIGGER ledger_append_only")
        await tx.execute("DELETE FROM ledger")
        await tx.execute("ALTER TABLE ledger ENABLE TRIGGER ledger_append_only")
    await running.stage.publish(running.refund_approved(orders[0], 200000))
    await running.stage.events(RefundSettled)
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO refunds (refund_id, order_id, order_number, storefront, buyer_id, amount_minor, currency,"
            " external_id, state, approved_at) VALUES (:id, :order, '10000001', 'qazaq-esim', :id, 100000, 'KZT', 'x',"
            " 'settled', :now)",
            id=uuid7(),
            order=orders[1].order_id,
            now=tx.now,
        )
        await tx.execute(
            "UPDATE payment_orders SET refunded_minor = 100000 WHERE order_id = :id", id=orders[1].order_id
        )
        # One posting brings the order to the eyes of the balance check.
        assert await ledger.post_late(tx, [orders[1].order_id]) == 3
        assert await ledger.post_late(tx, [order.order_id for order in orders]) == 0
        assert await ledger.check(tx, orders[0].placed_at, tx.now + timedelta(seconds=1)) == []
    found = (await running.get(f"/orders/{orders[1].order_id}/ledger")).json()
    assert found["balances"] == {"bank_clearing": PRICE - 100000, "buyer_funds": 100000 - PRICE, "refunds_payable": 0}
