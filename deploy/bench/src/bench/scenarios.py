"""What is measured: the whole stack with instant adapters, and against the sandbox over HTTP and SMTP."""

import asyncio
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench import meter
from bench.baseline import calls_without_an_engine
from bench.costs import measure
from bench.driver import Driver, buyers, orders
from bench.figures import Spread, percentile
from bench.machine import describe
from bench.record_log import Record
from bench.stock import ENVIRONMENTS, slow_operator
from local_stack.kafka_settings import BENCH
from local_stack.product import OPERATIONS, PRODUCT
from local_stack.stack import Stack
from shared.contracts import BuyerContact
from shared.messaging.access import KafkaAccess
from shared.testing.databases import new_database

SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
INSTANT = {
    "*": {"LOG_LEVEL": "WARNING"},
    "provisioning": {"OPERATORS": "[]", "ROUTES": "{}", "OPERATOR_ADAPTER": "instant"},
    "notifications": {"MAIL_ADAPTER": "instant"},
}
REAL = {"*": {"LOG_LEVEL": "WARNING"}, "notifications": {"SMTP_CONNECTIONS": "16"}, "sandbox": {"SANDBOX_DATA_DIR": ""}}
SCENARIOS = ("costs", "instant", "sandbox", "stock")
RATES = (250, 500, 1000, 1500, 2000)
#: A rate counts as kept when 99 of 100 orders are delivered within this time (docs/invariants.md).
KEPT_SECONDS = 0.25
_HOPELESS_SECONDS = 2.0


async def run(names: list[str], arguments: Namespace) -> dict[str, Any]:
    """Measure the scenarios one after the other, each on a fresh stack."""
    results: dict[str, Any] = {"machine": describe(), "orders": arguments.orders, "runs": arguments.runs}
    for name in names:
        if name in {"costs", "stock"}:
            results[name] = await (costs if name == "costs" else stock)(arguments)
            continue
        environment = INSTANT if name == "instant" else REAL
        async with _stack(environment, arguments) as stack:
            results[name] = await (instant if name == "instant" else sandbox)(stack, arguments)
    return results


def _stack(environment: Mapping[str, Mapping[str, str]], arguments: Namespace) -> Stack:
    """A fresh one. Operations serves no buyer and belongs on a machine of its own: it listens only where asked for."""
    parts = PRODUCT if arguments.operations else tuple(one for one in PRODUCT if one is not OPERATIONS)
    return Stack("bench", environment=environment, profile=BENCH, fresh=True, components=parts)


async def costs(arguments: Namespace) -> list[dict[str, Any]]:
    """What an order costs each service, by step; processor time and counts are taken in runs of their own."""
    timed, counted = [
        await measure(new_database, orders=arguments.batch, rounds=arguments.runs + 2, count=count)
        for count in (False, True)
    ]
    return [
        {"service": step[0], "topic": step[1], **asdict(cost), "cpu_us": timed[step].cpu_us}
        for step, cost in counted.items()
    ]


async def instant(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Trivial steps: what the engine itself costs."""
    async with Driver(_admin(stack)) as driver:
        found: dict[str, Any] = {"at_rest": await at_rest(stack)}
        await throughput(stack, driver, arguments.orders // 4, 1, traced=0.01)  # warm up
        found["idle"] = await idle(driver, 200)
        found["one_in_100_traced"] = await throughput(stack, driver, arguments.orders, arguments.runs, traced=0.01)
        found["all_traced"] = await throughput(stack, driver, arguments.orders // 2, arguments.runs, traced=1.0)
        found["open_loop"] = await open_loop(driver, arguments.seconds)
    return found


async def sandbox(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Real HTTP to the operator and real SMTP, at zero latency, beside the same calls made with no engine."""
    count = arguments.orders // 5
    async with Driver(_admin(stack)) as driver:
        await throughput(stack, driver, count // 4, 1, traced=0.01)
        engine, plain = [], []
        for _ in range(arguments.runs):  # interleaved: the machine's mood hits both
            engine.append(await throughput(stack, driver, count, 1, traced=0.01))
            plain.append(await calls_without_an_engine(stack, count))
        rates = [one["orders_per_second"]["median"] for one in engine]
        return {
            "idle": await idle(driver, 100),
            "orders_per_second": Spread.of(rates).plain(),
            "without_engine_per_second": Spread.of(plain).plain(),
            "ratio": Spread.of([a / b for a, b in zip(rates, plain, strict=True)]).plain(),
            "cpu_us_per_order": engine[-1]["cpu_us_per_order"],
        }


async def stock(arguments: Namespace) -> dict[str, Any]:
    """An operator of 800 ms, with and without profiles at hand."""
    found = {}
    for name, environment in ENVIRONMENTS.items():
        environments = {**REAL, "provisioning": environment}
        async with (
            _stack(environments, arguments) as stack,
            Driver(_admin(stack)) as driver,
        ):
            found[name] = await slow_operator(stack, driver, _prepare, arguments.seconds, pool="STOCK" in environment)
    return found


async def at_rest(stack: Stack, seconds: float = 10.0) -> dict[str, Any]:
    """Memory and processor share of each service that has nothing to do."""
    pids = _pids(stack)
    await asyncio.sleep(3)
    before = {name: meter.cpu_seconds(pid) for name, pid in pids.items()}
    await asyncio.sleep(seconds)
    return {
        name: {
            "rss_mib": round(meter.rss_mib(pid)),
            "cpu_percent": round((meter.cpu_seconds(pid) - before[name]) / seconds * 100, 2),
        }
        for name, pid in pids.items()
        if name in SERVICES
    }


async def idle(driver: Driver, count: int) -> dict[str, float]:
    """One order at a time."""
    paid = await _prepare(driver, count, traced=1.0)
    latencies = await driver.one_by_one(paid, pause=0.02)
    return {
        "p50_ms": percentile(latencies, 0.5) * 1000,
        "p99_ms": percentile(latencies, 0.99) * 1000,
        "max_ms": max(latencies) * 1000,
    }


async def throughput(stack: Stack, driver: Driver, count: int, runs: int, *, traced: float) -> dict[str, Any]:
    """A flood of paid orders, several times."""
    rates, pids = [], _pids(stack)
    urls = {name: stack.database_url(name) for name in SERVICES}
    costs: list[meter.Reading] = []
    for _ in range(runs):
        paid = await _prepare(driver, count, traced=traced)
        await asyncio.sleep(2)
        before = meter.read(pids, urls)
        rates.append(count / await driver.flood(paid))
        await asyncio.sleep(2)  # what follows the delivery (ordering, refunds) is not part of the next run
        costs.append(meter.read(pids, urls).since(before))
    total = count * runs
    return {
        "orders_per_second": Spread.of(rates).plain(),
        "cpu_us_per_order": {n: round(sum(one.cpu[n] for one in costs) / total * 1e6) for n in pids},
        "transactions_per_order": {n: round(sum(one.transactions[n] for one in costs) / total, 3) for n in urls},
    }


async def open_loop(driver: Driver, seconds: float) -> list[dict[str, Any]]:
    """Rising steady rates, until the stack cannot follow."""
    found = []
    for rate in RATES:
        paid = await _prepare(driver, int(rate * seconds), traced=0.01)
        latencies = await driver.paced(paid, rate)
        p99 = percentile(latencies, 0.99)
        row = {"per_second": rate, "p50_ms": percentile(latencies, 0.5) * 1000, "p99_ms": p99 * 1000}
        found.append({**row, "kept": p99 <= KEPT_SECONDS})
        if p99 > _HOPELESS_SECONDS:
            break
        await asyncio.sleep(1)
    return found


async def _prepare(driver: Driver, count: int, *, traced: float) -> list[Record]:
    """Buyers known everywhere, as they are when a payment comes in; returns their paid orders."""
    ids, contacts = buyers(count)
    await driver.send(contacts)
    await driver.consumed("notifications", BuyerContact.topic)
    await driver.consumed("payments", BuyerContact.topic)
    return orders(ids, traced=traced)


def _admin(stack: Stack) -> KafkaAccess:
    """The driver tells facts in everybody's place."""
    login = stack.kafka
    return KafkaAccess(login.bootstrap_servers, login.username, login.password)


def _pids(stack: Stack) -> dict[str, int]:
    return {name: pid for name in (*SERVICES, "kafka") if (pid := stack.parts[name].pid) is not None}
