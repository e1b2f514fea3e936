"""Who is measured: the product, and the floor beside it, by the same steps."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench import meter
from bench.driver import Delivery, Driver, buyers, orders
from bench.record_log import Record
from bench.spread import percentile
from local_stack.stack import Stack
from shared.contracts import BuyerContact
from shared.messaging.access import KafkaAccess

T = TypeVar("T")
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
#: What follows a delivery (ordering, refunds) shall not be part of the next step.
_SETTLE_SECONDS = 2.0
_BETWEEN_SECONDS = 0.02
#: Prepares so many paid orders with this share of traces; paid now, or one after the other at a rate.
Prepare = Callable[[int, float, float | None], Awaitable[list[Record]]]


@dataclass(frozen=True)
class Contender:
    """`pids` and `databases` are of its own processes and databases; broker and server are shared."""

    driver: Driver
    prepare: Prepare
    pids: Mapping[str, int]
    databases: Mapping[str, str]

    async def one_by_one(self, count: int) -> dict[str, Any]:
        """Latency of one order at a time, all of them traced, and what each costs."""
        paid = await self.prepare(count, 1.0, None)
        measured, cost = await self._costing(count, self.driver.one_by_one(paid, pause=_BETWEEN_SECONDS))
        return {**latencies(measured), **cost}

    async def flood(self, count: int, *, traced: float) -> dict[str, Any]:
        """Orders per second of so many paid orders that come at once, and what each costs."""
        paid = await self.prepare(count, traced, None)
        seconds, cost = await self._costing(count, self.driver.flood(paid))
        return {"per_second": count / seconds, **cost}

    async def _costing(self, count: int, work: Coroutine[Any, Any, T]) -> tuple[T, dict[str, Any]]:
        """What the work returns, and what it and all that follows from it cost for each of so many orders."""
        await asyncio.sleep(_SETTLE_SECONDS)
        before = meter.read(self.pids, self.databases)
        returned = await work
        await asyncio.sleep(_SETTLE_SECONDS)
        cost = meter.read(self.pids, self.databases).since(before)
        return returned, {
            "cpu_us": {name: spent / count * 1e6 for name, spent in cost.cpu.items()},
            "transactions": {name: number / count for name, number in cost.transactions.items()},
        }

    async def steady(self, per_second: float, seconds: float) -> dict[str, Any]:
        """An open loop: orders at a rate, whatever comes back."""
        paid = await self.prepare(round(per_second * seconds), 0.01, per_second)
        deliveries = await self.driver.paced(paid, per_second)
        taken = latencies([delivery.ended - delivery.due for delivery in deliveries])
        return {"offered": per_second, **taken, **queue(deliveries)}


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Percentiles of the latency, in milliseconds."""
    return {
        "p50_ms": percentile(seconds, 0.5) * 1000,
        "p99_ms": percentile(seconds, 0.99) * 1000,
        "max_ms": max(seconds) * 1000,
    }


def queue(deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """How many orders waited on average in the second and in the last quarter of an open loop, and whether it grew.

    It grew where the last quarter held more than half again as many orders, and ten more.
    """
    began, ended = deliveries[0].due, deliveries[-1].due
    quarter = (ended - began) / 4

    def waiting(since: float) -> float:
        until = since + quarter
        inside = (min(one.ended, until) - max(one.due, since) for one in deliveries)
        return sum(seconds for seconds in inside if seconds > 0) / quarter

    second, last = waiting(began + quarter), waiting(ended - quarter)
    return {"waiting_early": second, "waiting_late": last, "grew": last > 1.5 * second + 10}


def the_product(stack: Stack, driver: Driver, driver_pid: int) -> Contender:
    """The five services of a stack."""
    shared = shared_pids(stack, driver_pid)
    pids = {name: pid for name in SERVICES if (pid := stack.parts[name].pid) is not None}
    urls = {name: stack.database_url(name) for name in SERVICES}
    return Contender(driver, prepare_for(driver), pids | shared, urls)


def shared_pids(stack: Stack, driver_pid: int) -> dict[str, int]:
    """The processes that work for every contender."""
    pids = {name: pid for name in ("postgres", "kafka") if (pid := stack.parts[name].pid) is not None}
    return pids | {"driver": driver_pid}


def prepare_for(driver: Driver) -> Prepare:
    """Paid orders of buyers whom the product knows, as it does when a payment comes in."""

    async def prepare(count: int, traced: float, per_second: float | None = None) -> list[Record]:
        ids, contacts = buyers(count)
        await driver.send(contacts)
        for service in ("notifications", "payments", "refunds"):
            await driver.consumed(service, BuyerContact.topic)
        return orders(ids, traced=traced, per_second=per_second)

    return prepare


async def paid_orders(count: int, traced: float, per_second: float | None = None) -> list[Record]:
    """Paid orders for the floor, which needs no contacts."""
    return orders(buyers(count)[0], traced=traced, per_second=per_second)


def admin(stack: Stack) -> KafkaAccess:
    """The driver publishes facts of every service."""
    login = stack.kafka
    return KafkaAccess(login.bootstrap_servers, login.username, login.password)
