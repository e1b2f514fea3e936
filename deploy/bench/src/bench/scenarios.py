"""What is measured: the whole stack with instant adapters, and against the sandbox over HTTP and SMTP."""

import os
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bench.baseline import calls_without_an_engine
from bench.contenders import admin, prepare_for, the_product
from bench.costs import measure
from bench.driver import Driver
from bench.growth import growth
from bench.instant import instant
from bench.intake import intake
from bench.machine import calibrate, describe
from bench.peers import peers
from bench.spread import Spread
from bench.stock import ENVIRONMENTS, slow_operator
from local_stack.kafka_settings import BENCH
from local_stack.paths import run_dir
from local_stack.product import OPERATIONS, PRODUCT
from local_stack.stack import Stack
from shared.testing.databases import new_database

INSTANT = {
    "*": {"LOG_LEVEL": "WARNING"},
    "provisioning": {"OPERATORS": "[]", "ROUTES": "{}", "OPERATOR_ADAPTER": "instant"},
    "notifications": {"MAIL_ADAPTER": "instant"},
}
REAL = {"*": {"LOG_LEVEL": "WARNING"}, "notifications": {"SMTP_CONNECTIONS": "16"}, "sandbox": {"SANDBOX_DATA_DIR": ""}}
SCENARIOS = ("costs", "instant", "intake", "sandbox", "stock")
#: These take long, so they are only measured where they are named.
NAMED_ONLY = ("growth", "peers")
_ON_A_STACK = {"instant": instant, "intake": intake, "growth": growth, "peers": peers}


async def run(names: list[str], arguments: Namespace, results: dict[str, Any]) -> None:
    """Measure the scenarios one after the other, each on a fresh stack; `results` gets what each has measured."""
    results |= {"machine": describe(), "orders": arguments.orders, "runs": arguments.runs}
    results["calibration"] = [calibrate(run_dir("bench"))]
    for name in names:
        if name in {"costs", "stock"}:
            results[name] = await (costs if name == "costs" else stock)(arguments)
            continue
        async with _stack(REAL if name == "sandbox" else INSTANT, arguments) as stack:
            results[name] = await _ON_A_STACK.get(name, sandbox)(stack, arguments)
    results["calibration"].append(calibrate(run_dir("bench")))


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


async def sandbox(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """Real HTTP to the operator and real SMTP, at zero latency, beside the same calls made with no engine."""
    count = arguments.orders // 5
    async with Driver(admin(stack)) as driver:
        product = the_product(stack, driver, os.getpid())
        await product.flood(count // 2, traced=0.01)
        engine, plain = [], []
        for _ in range(arguments.runs):  # interleaved: the mood of the machine hits both
            engine.append(await product.flood(count, traced=0.01))
            plain.append(await calls_without_an_engine(stack, count))
        rates = [run["per_second"] for run in engine]
        ratio = Spread.of([a / b for a, b in zip(rates, plain, strict=True)])
        return {
            "alone": await product.one_by_one(100),
            "orders_per_second": Spread.of(rates).plain(),
            "without_engine_per_second": Spread.of(plain).plain(),
            "ratios": {"http_and_smtp": ratio.plain()},
            "cpu_us": engine[-1]["cpu_us"],
        }


async def stock(arguments: Namespace) -> dict[str, Any]:
    """An operator of 800 ms, with and without profiles at hand."""
    found = {}
    for name, environment in ENVIRONMENTS.items():
        environments = {**REAL, "provisioning": environment}
        async with (
            _stack(environments, arguments) as stack,
            Driver(admin(stack)) as driver,
        ):
            prepare = prepare_for(driver)
            found[name] = await slow_operator(stack, driver, prepare, arguments.seconds, pool="STOCK" in environment)
    return found
