"""Orders on their way in: `POST /orders` and submissions over Kafka, in turns with the floor of intake."""

import asyncio
import json
import os
from argparse import Namespace
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any
from uuid import uuid4

from aiokafka import ConsumerRecord

from bench import http_driver, meter
from bench.contenders import SERVICES, admin, latencies, queue, shared_pids
from bench.driver import Driver
from bench.floor_stack import new_databases
from bench.intake_floor import TABLES
from bench.programs import running
from bench.spread import Spread
from bench.submissions import SHOP, order_bodies, submissions
from local_stack.http_probe import answers_ok
from local_stack.ports import free_port
from local_stack.stack import Stack
from shared.contracts import OrderPlaced

_WARM_UP = 500
_SETTLE_SECONDS = 2.0
_START_SECONDS = 30.0
_numbers = count()


@dataclass(frozen=True)
class Endpoint:
    """A server with `POST /orders`. `token`: a shop's key, where one is needed."""

    port: int
    token: str
    pids: Mapping[str, int]

    def _requests(self, orders: int) -> list[bytes]:
        bodies = [json.dumps(body).encode() for body in _bodies(orders)]
        return [http_driver.request(str(uuid4()), body, token=self.token) for body in bodies]

    async def flood(self, orders: int) -> dict[str, Any]:
        """Orders per second over 16 connections, and processor time per order."""
        requests = self._requests(orders)
        before = meter.read(self.pids, {})
        seconds = await http_driver.flood(self.port, requests)
        rate = orders / seconds
        await asyncio.sleep(_SETTLE_SECONDS)  # what follows an order is part of its cost, and not of the next one's
        cost = meter.read(self.pids, {}).since(before)
        return {"per_second": rate, "cpu_us": {name: spent / orders * 1e6 for name, spent in cost.cpu.items()}}

    async def steady(self, per_second: float, seconds: float) -> dict[str, Any]:
        """An open loop over the same connections."""
        deliveries = await http_driver.paced(self.port, self._requests(round(per_second * seconds)), per_second)
        taken = latencies([delivery.ended - delivery.due for delivery in deliveries])
        return {"offered": per_second, **taken, **queue(deliveries)}


async def intake(stack: Stack, arguments: Namespace) -> dict[str, Any]:
    """With the whole stack running, and then with ordering alone."""
    orders, runs, seconds = arguments.orders // 5, arguments.runs, arguments.seconds
    common = shared_pids(stack, os.getpid())
    services = {name: pid for name in SERVICES if (pid := stack.parts[name].pid) is not None}
    product = Endpoint(stack.state.ports["ordering"], stack.state.storefront_keys[SHOP], common | services)
    async with (
        _floor(stack, common) as floor,
        Driver(admin(stack), ends=OrderPlaced, key_of=_submitted_key) as kafka,
    ):
        for endpoint in (product, floor):
            await endpoint.flood(_WARM_UP)
        whole = []
        for _ in range(runs):
            run = {"product": await product.flood(orders), "floor": await floor.flood(orders)}
            whole.append(run | {"kafka": await _kafka(kafka, product.pids, orders)})
        half = Spread.of([run["product"]["per_second"] for run in whole]).median / 2
        steady = await product.steady(half, seconds)
        for name in ("payments", "provisioning", "notifications", "refunds"):
            await stack.stop(name)
        product = replace(product, pids={name: pid for name, pid in product.pids.items() if name not in SERVICES[1:]})
        alone = [{"product": await product.flood(orders), "floor": await floor.flood(orders)} for _ in range(runs)]
    ratios = {
        "intake_http": _ratio(whole, "product"),
        "intake_kafka": _ratio(whole, "kafka"),
        "intake_http_alone": _ratio(alone, "product"),
    }
    return {"runs": whole, "alone": alone, "open_loop": steady, "ratios": ratios}


def _ratio(runs: list[dict[str, Any]], name: str) -> dict[str, float]:
    return Spread.of([run[name]["per_second"] / run["floor"]["per_second"] for run in runs]).plain()


async def _kafka(driver: Driver, pids: Mapping[str, int], orders: int) -> dict[str, Any]:
    """Submissions that come at once, until the last of them is an order."""
    records = submissions(_bodies(orders))
    before = meter.read(pids, {})
    rate = orders / await driver.flood(records)
    await asyncio.sleep(_SETTLE_SECONDS)
    cost = meter.read(pids, {}).since(before)
    return {"per_second": rate, "cpu_us": {name: spent / orders * 1e6 for name, spent in cost.cpu.items()}}


def _bodies(orders: int) -> list[dict[str, Any]]:
    """Buyers are numbered; none orders twice."""
    return order_bodies(orders, first=next(islice(_numbers, orders - 1, None)) - orders + 1)


def _submitted_key(record: ConsumerRecord) -> bytes:
    """The key under which the order of this OrderPlaced was submitted."""
    fact = json.loads(record.value)
    return f"{fact['storefront']}:{fact['submission_id']}".encode()


@asynccontextmanager
async def _floor(stack: Stack, common: Mapping[str, int]) -> AsyncIterator[Endpoint]:
    [url] = (await new_databases(stack, ["intake"], TABLES)).values()
    port = free_port()
    async with running("bench.intake_floor", {"port": port, "database": url}) as pid:
        async with asyncio.timeout(_START_SECONDS):
            while not await answers_ok(port, "/docs"):  # noqa: ASYNC110 - another process starts
                await asyncio.sleep(0.1)
        yield Endpoint(port, "", {**common, "ordering": pid})
