"""Statements are per batch, never per order, and cost the same however much was sold."""

from typing import TYPE_CHECKING

import pytest

from provisioning.operators.routes import _POOLS
from provisioning.stock.store import _FORGET, _LEVEL
from shared.contracts import OrderPaid, ProfileGenerated
from shared.database import Rows, Tx

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start


POOL = {"operator": "primary", "profile_type": "TR-STD", "low": 0, "high": 60}


@pytest.mark.parametrize("stock", [[], [POOL]])
async def test_a_batch_of_orders_costs_as_many_statements_as_one_order(
    start: "Start", monkeypatch: pytest.MonkeyPatch, stock: list[object]
) -> None:
    running = await start(stock=stock)
    if stock:

        async def filled() -> bool:
            rows = await running.rows("SELECT count(*) AS n FROM stock_profiles WHERE state = 'ready'")
            return bool(rows[0]["n"] == 60)

        await running.stage.eventually(filled)
    counted: list[str] = []
    genuine = Tx.execute

    async def counting(self: Tx, sql: str, **parameters: object) -> Rows:
        if self is watched:
            counted.append(sql)
        return await genuine(self, sql, **parameters)

    monkeypatch.setattr(Tx, "execute", counting)
    watched: Tx | None = None
    costs = []
    handler = running.service.consumer._handlers[OrderPaid.topic]
    for count in (1, 50):
        async with running.service.database.transaction("consumer") as tx:
            watched = tx
            await handler(tx, [running.received() for _ in range(count)])
            watched = None  # outbox and board ride in the commit, with statements of their own
        costs.append(list(counted))
        counted.clear()
    assert len(costs[0]) == len(costs[1]), costs
    await running.stage.events(ProfileGenerated, count=51)


@pytest.mark.parametrize("statement", [_LEVEL, _FORGET, _POOLS])
async def test_checking_the_stock_does_not_read_sold_profiles(start: "Start", statement: str) -> None:
    running = await start()
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO stock_profiles (id, operator, profile_type, state, order_id, created_at) "
            "SELECT gen_random_uuid(), 'primary', 'TR-STD', 'assigned', gen_random_uuid(), :now "
            "FROM generate_series(1, 5000)",
            now=tx.now,
        )
        await tx.execute("ANALYZE stock_profiles")
        values = {"operator": "primary", "profile_type": "TR-STD", "before": tx.now, "now": tx.now}
        plan = await tx.execute(f"EXPLAIN {statement}", **values)
        shown = "\n".join(plan.scalars())
    assert "stock_profiles_order" in shown, shown
    assert "Seq Scan" not in shown, shown
