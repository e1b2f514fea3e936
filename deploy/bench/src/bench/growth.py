"""A stack that has worked for long: a million finished orders in its tables, and a deep backlog.

The floor beside it stays empty and is the measure of the first: what changes is the product's rate against it. The
backlog is compared with the product's own flood.
"""

import os
from argparse import Namespace
from typing import Any

from bench.contenders import SERVICES, Contender, admin, paid_orders, shared_pids, the_product
from bench.driver import Driver
from bench.floor_stack import admin_url, floor_beside
from bench.seed import multiply
from bench.spread import Spread
from local_stack.stack import Stack


async def growth(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Orders per second before and after, and while a backlog drains."""
    kafka = admin(stack)
    async with Driver(kafka) as driver, floor_beside(stack, kafka) as beside:
        pids = dict(beside.pids) | shared_pids(stack, os.getpid())
        floor = Contender(beside.driver, paid_orders, pids, beside.databases)
        product = the_product(stack, driver, os.getpid())
        for contender in (product, floor):
            await contender.flood(arguments.warm_up, traced=0.01)
        empty = [await _run(product, floor, arguments.orders) for _ in range(arguments.runs)]
        there = arguments.warm_up + arguments.runs * arguments.orders
        rows = {
            name: await multiply(admin_url(stack, name), max(0, round(arguments.grown / there) - 1))
            for name in SERVICES
        }
        grown = [await _run(product, floor, arguments.orders) for _ in range(arguments.runs)]
        backlog = await product.flood(arguments.backlog, traced=0.01)
    before = Spread.of([run["ratio"] for run in empty]).median
    flood = Spread.of([run["product"] for run in grown]).median
    return {
        "empty": empty,
        "grown": grown,
        "rows": rows,
        "backlog_per_second": backlog["per_second"],
        "ratios": {
            "grown": Spread.of([run["ratio"] / before for run in grown]).plain(),
            "backlog": Spread.of([backlog["per_second"] / flood]).plain(),
        },
    }


async def _run(product: Contender, floor: Contender, count: int) -> dict[str, float]:
    ours = (await product.flood(count, traced=0.01))["per_second"]
    theirs = (await floor.flood(count, traced=0.01))["per_second"]
    return {"product": ours, "floor": theirs, "ratio": ours / theirs}
