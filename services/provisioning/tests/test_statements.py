"""Statements are per batch, never per order (architecture.md rule 3)."""

from typing import Any

import pytest

from shared.contracts import OrderPaid, ProfileGenerated
from shared.database import Tx

POOL = {"operator": "primary", "profile_type": "TR-STD", "low": 0, "high": 60}


@pytest.mark.parametrize("stock", [[], [POOL]])
async def test_a_batch_of_orders_costs_as_many_statements_as_one_order(
    start: Any, monkeypatch: pytest.MonkeyPatch, stock: list[Any]
) -> None:
    running = await start(stock=stock)
    if stock:

        async def filled() -> bool:
            rows = await running.rows("SELECT count(*) AS n FROM stock_profiles WHERE state = 'ready'")
            return bool(rows[0]["n"] == 60)

        await running.stage.eventually(filled)
    counted: list[str] = []
    genuine = Tx.execute

    async def counting(self: Tx, sql: str, **parameters: Any) -> Any:
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
