"""A database of the version before the ledger, with money in it, is brought up to date."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from payments.ledger import store as ledger
from shared.database import Database
from shared.ids import uuid7
from shared.kernel import migrations
from shared.testing.databases import database_at

pytestmark = pytest.mark.infra


@pytest.fixture
def first_version() -> Iterator[str]:
    with database_at("payments", "0001") as url:
        yield url


async def test_what_was_paid_and_returned_before_is_in_the_ledger(first_version: str) -> None:
    now = datetime.now(UTC)
    database = Database(first_version, pool_size=1)
    paid, unpaid = uuid7(), uuid7()
    async with database.transaction() as tx:
        for order_id, captured, refunded, invoice in ((paid, 1000, 300, 100000001), (unpaid, 0, 0, None)):
            await tx.execute(
                "INSERT INTO payment_orders (order_id, order_number, storefront, buyer_id, kind, plan, price_minor,"
                " currency, placed_at, captured_minor, refunded_minor, captured_invoice, transaction_id, paid_at)"
                " VALUES (:id, '10000001', 'esimka', :id, 'esim', '{}', 1000, 'USD', :now, :captured, :refunded,"
                " :invoice, 'b1', :now)",
                id=order_id,
                now=now,
                captured=captured,
                refunded=refunded,
                invoice=invoice,
            )
        for state, amount in (("settled", 200), ("calling", 100), ("failed", 5000), ("approved", 50)):
            await tx.execute(
                "INSERT INTO refunds (refund_id, order_id, order_number, storefront, buyer_id, amount_minor, currency,"
                " external_id, state, approved_at, called_at, ended_at) VALUES (:refund, :order, '10000001', 'esimka',"
                " :order, :amount, 'USD', 'x', :state, :now, :now, :now)",
                refund=uuid7(),
                order=paid,
                amount=amount,
                state=state,
                now=now,
            )
        await tx.execute(
            "INSERT INTO work (id, kind, key, payload, state, due_at, created_at)"
            " VALUES (:id, 'duplicate_capture', '100000002', '{}', 'parked', :now, :now)",
            id=uuid7(),
            now=now,
        )
    await asyncio.to_thread(migrations.upgrade, "payments", first_version)
    async with database.transaction() as tx:
        found = await ledger.of_order(tx, paid)
        assert found is not None
        assert (found["paid_in"], found["paid_out"]) == (1000, 200)
        assert found["balances"] == {"bank_clearing": 800, "buyer_funds": -700, "refunds_payable": -100}
        assert await ledger.check(tx, now, tx.now) == []
        assert (await ledger.of_order(tx, unpaid) or {})["postings"] == []
        assert (await tx.execute("SELECT state FROM work")).scalar() == "due"
        lapse = (await tx.execute("SELECT lapse_at FROM payment_orders WHERE order_id = :id", id=unpaid)).scalar()
        assert lapse > now
        assert (await tx.execute("SELECT until FROM housekeeping WHERE name = 'revenue'")).scalar() == now
    await database.close()
