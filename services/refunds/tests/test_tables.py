from typing import TYPE_CHECKING

import psycopg
import pytest

from refunds.tables import metadata
from shared.ids import uuid7
from shared.testing.databases import differences

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start()
    assert await differences(running.service.database, metadata) == []


async def test_the_database_itself_approves_no_more_than_was_paid(start: "Start") -> None:
    """Whoever writes it, in whatever version of the service (PO 6.3)."""
    running = await start()
    life = await running.delivered()

    async def approve(ground: str, amount: int) -> None:
        async with running.service.database.transaction() as tx:
            await tx.execute(
                """
                INSERT INTO cases (case_id, order_id, ground, origin, requested_at, verdict, refund_id, amount_minor)
                VALUES (:case, :order, :ground, 'agent', :now, 'approve', :refund, :amount)
                """,
                case=uuid7(),
                order=life.order_id,
                ground=ground,
                now=tx.now,
                refund=uuid7(),
                amount=amount,
            )

    await approve("one", life.money.amount - 1)
    await approve("two", 1)
    with pytest.raises(psycopg.errors.CheckViolation, match="refunds_within_paid"):
        await approve("three", 1)
    with pytest.raises(psycopg.errors.RaiseException, match="an approval is final"):
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE cases SET amount_minor = 0")
