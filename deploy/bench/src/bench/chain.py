"""The five services in this process, which take batches of orders from their submission to their delivery.

They work as they do beside Kafka: each parses its records, handles them in one transaction, performs the tasks that
follow with adapters that answer at once, records their results, and publishes. Only the broker's sockets are missing
(record_log.py).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.record_log import LoggedProducer, RecordLog
from bench.submissions import SHOP, order_bodies, submissions
from local_stack.paths import shops_dir
from local_stack.product import EPAY_TERMINAL
from shared.contracts import (
    BuyerContact,
    OrderPaid,
    OrderPlaced,
    ProfileGenerated,
    QrDelivered,
    orders_topic,
)
from shared.database import Tx
from shared.kernel.service import Service
from shared.sealed import Opener, new_private_key
from shared.tasks import leases, store, worker

#: A service, and the topic that it reads.
Step = tuple[str, str]
STEPS: tuple[Step, ...] = (
    ("ordering", orders_topic(SHOP)),
    ("payments", BuyerContact.topic),
    ("notifications", BuyerContact.topic),
    ("refunds", BuyerContact.topic),
    ("payments", OrderPlaced.topic),
    ("ordering", OrderPaid.topic),
    ("provisioning", OrderPaid.topic),
    ("notifications", OrderPaid.topic),
    ("refunds", OrderPaid.topic),
    ("ordering", ProfileGenerated.topic),
    ("notifications", ProfileGenerated.topic),
    ("refunds", ProfileGenerated.topic),
    ("ordering", QrDelivered.topic),
    ("refunds", QrDelivered.topic),
)
_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ordering": {"updates_topics": {SHOP}},
    "payments": {
        "epay_adapter": "instant",
        "epay_terminal": EPAY_TERMINAL,
        "public_url": "http://127.0.0.1:1",
        "storefront_keys": {SHOP: "unused"},
    },
    "provisioning": {"operators": [], "routes": {}, "operator_adapter": "instant"},
    "notifications": {"mail_adapter": "instant"},
    "refunds": {"agent_keys": {"bench": "unused"}},
}


class Chain:
    """The services, and the log that they read and write."""

    def __init__(self, log: RecordLog, services: Mapping[str, Service]) -> None:
        self.log = log
        self.services = services
        self._commits = {name: _Commits(service) for name, service in services.items()}
        self._producer = LoggedProducer(log)
        self._submitted = 0

    async def submit(self, orders: int) -> None:
        """Submit so many orders of different buyers, as a shop does over Kafka. Their traces are not recorded."""
        first = self._submitted
        self._submitted += orders
        await self._producer.send_all(submissions(order_bodies(orders, first=first)))

    async def step(self, step: Step) -> int:
        """Have a service read its topic, and finish what follows from it. Returns the number of records."""
        name, topic = step
        service = self.services[name]
        records = self.log.fetch(name, topic)
        await service.consumer.consume(records)
        await self._commits[name].until(lambda: not service.task_worker.held)
        await service.outbox.drain()
        return len(records)


@asynccontextmanager
async def started(
    new_database: Callable[[str], str], folder: Path, watch: Callable[[Service], None]
) -> AsyncIterator[Chain]:
    """The services, each with a database of its own and with its task worker running.

    `folder` gets the traces. `watch` is called with each service before it connects.
    """
    log, services, seal_key = RecordLog(), {}, new_private_key()
    async with AsyncExitStack() as stack:
        stack.enter_context(_without_timers())
        for name, own in _SETTINGS.items():
            settings = {
                "database_url": await asyncio.to_thread(new_database, name),
                "kafka_bootstrap_servers": "127.0.0.1:1",
                "shops_dir": shops_dir(),
                "trace_file": folder / f"{name}.jsonl",
                "seal_private_key": seal_key,
                **own,
            }
            if name in {"ordering", "provisioning"}:
                settings["notifications_seal_public_key"] = Opener(seal_key).public_key
            service: Service = import_module(f"{name}.app").build(
                import_module(f"{name}.settings").Settings(**settings)
            )
            service.outbox._producer = LoggedProducer(log)  # noqa: SLF001 - its own one needs a broker
            watch(service)
            stack.callback(service.tracing.close)
            stack.push_async_callback(service.database.close)
            services[name] = service
        for service in services.values():
            stack.push_async_callback(_end, asyncio.create_task(service.task_worker.run()))
        yield Chain(log, services)


@contextmanager
def _without_timers() -> Iterator[None]:
    """Workers renew no lease and look for no due task: neither belongs to a step, and no lease may end within one."""
    constants = ((store, "LEASE_SECONDS"), (leases, "HEARTBEAT_SECONDS"), (worker, "POLL_SECONDS"))
    usual = [getattr(module, name) for module, name in constants]
    for module, name in constants:
        setattr(module, name, 3600.0)
    try:
        yield
    finally:
        for (module, name), seconds in zip(constants, usual, strict=True):
            setattr(module, name, seconds)


class _Commits:
    """Takes part in each transaction of a service, to learn when its tasks are recorded without asking often."""

    def __init__(self, service: Service) -> None:
        self._committed = asyncio.Event()
        service.database.participants.append(self)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition is true, which a commit makes it."""
        while not condition():
            self._committed.clear()
            await self._committed.wait()
            await asyncio.sleep(0)  # whoever committed goes on first

    async def before_commit(self, tx: Tx) -> None:
        """Nothing."""

    def after_commit(self, _tx: Tx) -> None:
        """Let the condition be checked."""
        self._committed.set()

    def after_rollback(self, tx: Tx) -> None:
        """Nothing."""


async def _end(running: "asyncio.Task[None]") -> None:
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
