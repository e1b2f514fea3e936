from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from refunds.tables import metadata
from shared.ids import uuid7

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start()

    def differences(connection: Connection) -> list[object]:
        def own(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "table" or name in metadata.tables

        context = MigrationContext.configure(connection, opts={"include_name": own, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with running.service.database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


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
