"""Trivial steps: what the engine itself costs, beside the floor on the same broker and database, in turns."""

import asyncio
import os
from argparse import Namespace
from typing import Any

from bench import meter
from bench.contenders import SERVICES, Contender, admin, paid_orders, shared_pids, the_product
from bench.driver import Driver
from bench.floor_stack import floor_beside
from bench.spread import Spread
from local_stack.stack import Stack

_ALONE = 100
_REST_SECONDS = 10.0


async def instant(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Throughput, latency of one order at a time, a steady rate, and what an order costs."""
    kafka = admin(stack)
    async with Driver(kafka) as driver:
        rest = await at_rest(stack)
        async with floor_beside(stack, kafka) as beside:
            pids = dict(beside.pids) | shared_pids(stack, os.getpid())
            floor = Contender(beside.driver, paid_orders, pids, beside.databases)
            product = the_product(stack, driver, os.getpid())
            for contender in (product, floor):
                await contender.flood(arguments.warm_up, traced=0.01)
            runs = [await _run(product, floor, arguments.orders) for _ in range(arguments.runs)]
            best = Spread.of([run["product"]["per_second"] for run in runs]).median
            steady = await product.steady(best / 2, arguments.seconds)
    return {"at_rest": rest, "runs": runs, "open_loop": steady, "ratios": _ratios(runs, steady)}


async def _run(product: Contender, floor: Contender, count: int) -> dict[str, Any]:
    """Each in turn, so that the mood of the machine hits both."""
    return {
        "product_alone": await product.one_by_one(_ALONE),
        "floor_alone": await floor.one_by_one(_ALONE),
        "product": await product.flood(count, traced=0.01),
        "floor": await floor.flood(count, traced=0.01),
        "product_all_traced": await product.flood(count, traced=1.0),
    }


def _ratios(runs: list[dict[str, Any]], steady: dict[str, Any]) -> dict[str, Any]:
    """By target (targets.py): the spread over all runs."""

    def spread(over: str, under: str, figure: str) -> dict[str, float]:
        return Spread.of([run[over][figure] / run[under][figure] for run in runs]).plain()

    def processor_time(run: dict[str, Any], name: str) -> float:
        return float(sum(run[name]["cpu_us"].values()))

    alone = Spread.of([run["product_alone"]["p50_ms"] for run in runs]).median
    return {
        "one_in_100_traced": spread("product", "floor", "per_second"),
        "all_traced": spread("product_all_traced", "floor", "per_second"),
        "processor_time": Spread.of(
            [processor_time(run, "floor") / processor_time(run, "product") for run in runs]
        ).plain(),
        "alone_p50": spread("product_alone", "floor_alone", "p50_ms"),
        "alone_p99": spread("product_alone", "floor_alone", "p99_ms"),
        "alone_max_ms": Spread.of([run["product_alone"]["max_ms"] for run in runs]).plain(),
        "open_loop_p99": Spread.of([steady["p99_ms"] / alone]).plain(),
    }


async def at_rest(stack: Stack) -> dict[str, Any]:
    """Memory and processor share of each service that has nothing to do."""
    pids = {name: pid for name in SERVICES if (pid := stack.parts[name].pid) is not None}
    await asyncio.sleep(3)
    before = {name: meter.cpu_seconds(pid) for name, pid in pids.items()}
    await asyncio.sleep(_REST_SECONDS)
    return {
        name: {
            "rss_mib": round(meter.rss_mib(pid)),
            "cpu_percent": round((meter.cpu_seconds(pid) - before[name]) / _REST_SECONDS * 100, 2),
        }
        for name, pid in pids.items()
    }
