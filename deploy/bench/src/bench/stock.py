"""What stock at hand is worth: an operator that takes 800 ms for a profile, with and without a pool of ready ones."""

import asyncio
import json
from typing import Any

import httpx
import psycopg

from bench.contenders import Prepare, latencies
from bench.driver import PLAN, Driver
from local_stack.stack import Stack

#: Of the operator's 800 ms, half for each of its two functions (downloadOrder, confirmOrder).
_EACH_SECONDS = 0.4
_ONE_BY_ONE, _A_FEW = 100, 20
_PER_SECOND = 20
_READY = 400
_FILL_SECONDS = 180.0
_READY_NOW = "SELECT count(*) FROM stock_profiles WHERE state = 'ready'"

POOL = {"operator": "primary", "profile_type": PLAN.profile_type, "low": 100, "high": _READY}
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "without_stock": {},
    "with_stock": {"STOCK": json.dumps([POOL])},
}


async def slow_operator(
    stack: Stack, driver: Driver, prepare: Prepare, seconds: float, *, pool: bool
) -> dict[str, Any]:
    """Latency one order at a time, and at a steady 20 orders/s; the pool, where there is one, is full at the start."""
    if pool:
        await _filled(stack)
    await driver.one_by_one(await prepare(_A_FEW, 0.01, None), pause=0.02)  # warm up, at no latency
    rules = [
        {"target": f"operator.{function}", "effect": "latency", "seconds": _EACH_SECONDS}
        for function in ("download_order", "confirm_order")
    ]
    async with httpx.AsyncClient(base_url=stack.url("sandbox"), trust_env=False) as sandbox:
        (await sandbox.put("/control/faults", json=rules)).raise_for_status()
    alone: list[float] = []
    while len(alone) < _ONE_BY_ONE:  # a few at a time, so that no mail about a delay is due
        alone += await driver.one_by_one(await prepare(_A_FEW, 0.01, None), pause=0.02)
    steady = await driver.paced(await prepare(int(_PER_SECOND * seconds), 0.01, None), _PER_SECOND)
    taken = [delivery.ended - delivery.due for delivery in steady]
    return {"one_by_one": latencies(alone), "steady": {"per_second": _PER_SECOND, **latencies(taken)}}


async def _filled(stack: Stack) -> None:
    url = stack.database_url("provisioning").replace("+psycopg", "")
    async with asyncio.timeout(_FILL_SECONDS):
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while True:
                row = await (await connection.execute(_READY_NOW)).fetchone()
                if row and row[0] >= _READY:
                    return
                await asyncio.sleep(0.2)
