"""Assembles a service from its handlers, tasks and routes; starts its parts in order and stops them in reverse.

Start: database, tasks, outbox and relay, HTTP, Kafka (with retries; not ready until it answers).
Stop: leave Kafka, finish requests and tasks in progress or give them back, publish what is committed, disconnect.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from fastapi import APIRouter

from shared.clock import Clock, DatabaseClock
from shared.contracts.base import Event
from shared.contracts.storefront import orders_topic
from shared.database import Database, Tx
from shared.interfaces import served
from shared.kernel import health, migrations
from shared.kernel.http import HttpServer, new_app
from shared.kernel.rate_limits import RateLimits
from shared.kernel.settings import ServiceSettings
from shared.messaging import dead_letters
from shared.messaging.consumer import Consumer, Handler, RejectionPublisher, Tombstone, TombstoneHandler
from shared.messaging.dead_letters import Limit, ShopLimits, TooManyDeadLettersError
from shared.messaging.outbox import Outbox
from shared.messaging.producer import Producer
from shared.messaging.record_batches import Fetched
from shared.messaging.refusals import refusal
from shared.messaging.relay import Relay
from shared.messaging.subscription import Subscription
from shared.operations.ageing import discard_ownerless
from shared.operations.redriving import Redriver
from shared.operations.router import serve_operations
from shared.operations.service import OperationsService
from shared.recovery.models import RecoveryRefusedError, RecoverySteps, Step
from shared.sealed import Opener, Sealer
from shared.supervision import Loop, Supervisor
from shared.tasks import TaskHandler, TaskWorker
from shared.telemetry.backlog import Backlog, Reading
from shared.telemetry.exporters import exporters
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Tracing

log = get_logger(__name__)
#: A loop of a service: runs until cancelled, and reports its progress.
Repeating = Callable[[Loop], Coroutine[Any, Any, None]]
_RECONNECT_SECONDS = 1.0
_MAINTAIN_SECONDS = 3600.0


class Service:
    """One service, assembled from what it consumes, performs and serves.

    `publishes` is false for a service that publishes nothing: its Kafka user then needs no right to write.
    """

    def __init__(
        self, name: str, settings: ServiceSettings, *, clock: Clock | None = None, publishes: bool = True
    ) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock or DatabaseClock()
        self.metrics = Metrics()
        self.tracing = Tracing(
            name,
            exporters=exporters(otlp_endpoint=settings.otlp_endpoint, trace_file=settings.trace_file),
            ratio=settings.trace_sample_ratio,
            observe=self.metrics.called,
        )
        self.database = Database(settings.database_url, clock=self.clock, pool_size=settings.database_pool_size)
        self.opener = Opener(settings.seal_private_key.get_secret_value())
        self.producer = Producer(settings.kafka, prefix=settings.topic_prefix, client_id=name, idempotent=publishes)
        self.supervisor = Supervisor(self.metrics)
        self.outbox = Outbox(self.database, self.producer, self.tracing, self.metrics, self.supervisor)
        self.task_worker = TaskWorker(self.database, self.tracing, self.metrics, self.supervisor)
        self.database.participants += [self.task_worker, self.outbox]
        self.consumer = Consumer(
            self.database,
            self.tracing,
            self.metrics,
            Sealer(name, self.opener.public_key),
            prefix=settings.topic_prefix,
            limit=Limit(settings.dead_letter_limit),
            shop_limits=ShopLimits(settings.shop_dead_letter_limit),
            group=name,
        )
        rate_limits = RateLimits(settings.reads_per_minute, settings.writes_per_minute)
        self.app = new_app(name, self.tracing, settings.trusted_proxies, self.metrics.limit_reached, rate_limits)
        self._checks: dict[str, health.Check] = {
            "database": self._database,
            "kafka": self._kafka,
            "tasks": self._tasks,
        }
        self.app.include_router(health.router(self._checks, self.metrics))
        self.app.include_router(served.router(self.app, name, self.consumer))
        self._backlog = Backlog(
            self.database,
            self.metrics,
            self.consumer,
            self._connected,
            prefix=settings.topic_prefix,
            compare=self._compare,
            look=self.supervisor.look,
        )
        self._resources = AsyncExitStack()
        self._subscription: Subscription | None = None
        self._halted: str | None = None
        self._unconnected = "not connected"
        self._leaving = asyncio.Event()
        self._loops: list[tuple[str, Repeating]] = []
        self._head = migrations.newest(name)
        #: What this service recovers after its database was put back to an earlier moment.
        self.recovery = RecoverySteps()
        self.port = settings.http_port
        if settings.operations_keys:
            serve_operations(self.app, self._operations(settings.topic_prefix), settings.operations_keys)

    def _operations(self, topic_prefix: str) -> OperationsService:
        return OperationsService(
            self.name,
            self.database,
            Redriver(self.database, self.consumer, self.opener, prefix=topic_prefix),
            self.task_worker,
            self.problems,
            lambda: self._halted,
        )

    # --- wiring ---------------------------------------------------------------------------------------------------

    def consumes(self, handlers: Mapping[type[Event], Handler]) -> None:
        """Apply these facts with these handlers."""
        self.consumer.on(handlers)

    def consumes_shops(
        self, shops: Sequence[str], handler: Handler, reject: RejectionPublisher, *, shared_shop: str | None
    ) -> None:
        """Apply orders that these shops submit, each on its own topic; `reject` publishes refusals."""
        self.consumer.on_shops([orders_topic(shop) for shop in shops], handler, reject, shared_shop=shared_shop)

    def forgets(self, event_class: type[Event], handler: TombstoneHandler) -> None:
        """Apply tombstones of this compacted topic; dead letters of the same keys are deleted too.

        They are deleted first: that waits for a redrive of them, whose effects are then erased with the rest.
        """

        async def apply(tx: Tx, batch: Sequence[Tombstone]) -> None:
            await dead_letters.delete(tx, event_class.topic, [tombstone.key for tombstone in batch])
            await handler(tx, batch)

        self.consumer.on_tombstone(event_class, apply)

    def performs(self, *handlers: TaskHandler[Any, Any]) -> None:
        """Perform tasks with these handlers."""
        for handler in handlers:
            self.task_worker.add(handler)

    def runs(self, *loops: Repeating) -> None:
        """Run these loops in the background, from the first answer of the database until the service stops.

        Each reports its progress to the `Loop` that it is given: one that stands still makes the service unready.
        """
        self._loops += [(f"{self.name}.{_name(loop, len(self._loops) + at)}", loop) for at, loop in enumerate(loops)]

    def shows(self, *readings: Reading) -> None:
        """Read these metrics every ten seconds, each by one cheap statement."""
        self._backlog.readings += readings

    def serves(self, *routers: APIRouter) -> None:
        """Serve these routes. `request.app.state.service` is this service."""
        self.app.state.service = self
        for router in routers:
            self.app.include_router(router)

    def recovers(
        self, facts: Mapping[type[Event], Handler], *, before: Sequence[Step] = (), after: Sequence[Step] = ()
    ) -> None:
        """Recover with these handlers of its own events, and these steps (`shared.recovery.models`)."""
        self.recovery.facts.update(facts)
        self.recovery.before += before
        self.recovery.after += after

    @property
    def leaving(self) -> asyncio.Event:
        """Set when the service begins to stop: responses without an end of their own (event streams) end then."""
        return self._leaving

    def closes(self, closer: Callable[[], Awaitable[Any]]) -> None:
        """Call this when the service has stopped, to close an HTTP client or a pool."""
        self._resources.push_async_callback(closer)

    # --- running --------------------------------------------------------------------------------------------------

    async def serve(self) -> None:
        """Run until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        async with self.running():
            log.info("serving", port=self.port)
            await stop.wait()
            log.info("stopping")

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Hold what the service has opened, for a recovery: nothing is consumed, performed, published or served.

        Raises RecoveryRefusedError where the database does not answer, or is not migrated.
        """
        async with AsyncExitStack() as stack:
            stack.callback(self.tracing.close)
            stack.push_async_callback(self.database.close)
            stack.push_async_exit(self._resources)
            if (problem := await self._database()) is not None:
                raise RecoveryRefusedError(f"the database {problem}")
            yield

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Service"]:
        """Run the service for as long as the block lasts."""
        async with AsyncExitStack() as stack:
            stack.callback(self.tracing.close)
            stack.push_async_callback(self.database.close)
            stack.push_async_exit(self._resources)
            await self._wait_for_database()
            stack.push_async_callback(self.outbox.drain)
            relay = Relay(self.database, self.producer, self.metrics, self.supervisor.loop("relay"))
            for name, task in (
                ("maintenance", self._maintain()),
                ("relay", relay.run()),
                ("outbox.publish", self.outbox.run()),
                ("work", self.task_worker.run()),
                ("backlog", self._backlog.run(self.supervisor.loop("backlog"))),
                *((name, loop(self.supervisor.loop(name))) for name, loop in self._loops),
            ):
                stack.push_async_callback(_cancel, self.supervisor.start(name, task))
            http = HttpServer(self.app, self.settings.http_host, self.settings.http_port)
            await http.start()
            self.port = http.port
            stack.push_async_callback(http.stop)
            stack.push_async_callback(self._stop_consuming)
            consuming = self.supervisor.start("consuming", self._start_consuming(), endless=False)
            stack.push_async_callback(_cancel, consuming)
            yield self

    async def _wait_for_database(self) -> None:
        while (problem := await self._database()) is not None:
            log.warning("waiting_for_database", problem=problem)
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _start_consuming(self) -> None:
        if not self.consumer.topics:
            return
        prefix = self.settings.topic_prefix
        while not self._leaving.is_set():
            subscription = Subscription(
                self.settings.kafka,
                [prefix + topic for topic in self.consumer.topics],
                prefix + self.name,
                self._consume,
                max_records=self.settings.consumer_max_records,
                pause_seconds=self.settings.consumer_pause_seconds,
                session_seconds=self.settings.consumer_session_seconds,
                client_id=self.name,
                count=lambda what: self.metrics.reading_faults.labels(what).inc(),
            )
            start = asyncio.create_task(subscription.start())
            try:
                await asyncio.shield(start)
            except (KafkaError, OSError) as error:
                self._unconnected = refusal(error) or "not connected"
                log.warning("waiting_for_kafka", error=error, problem=self._unconnected)
                await subscription.stop()
                await asyncio.sleep(_RECONNECT_SECONDS)
            except asyncio.CancelledError:
                # Stopped while it starts. Half a start cannot be undone, and the group must not wait for a lost member.
                await asyncio.wait([start], timeout=_RECONNECT_SECONDS * 10)
                await _cancel(start)
                await subscription.stop()
                raise
            else:
                self._subscription = subscription
                await subscription.broken.wait()
                self._unconnected = subscription.problem() or "not connected"
                log.warning("consumer_restarts", problem=self._unconnected)
                self._subscription = None
                await subscription.stop()
                await asyncio.sleep(_RECONNECT_SECONDS)

    def _compare(self, ends: Mapping[TopicPartition, int]) -> None:
        """Compare what was fetched, applied and committed, and set the metrics of it."""
        if self._subscription is None:
            return
        self._subscription.compare(ends)
        self.metrics.offset.clear()
        for place, state in self._subscription.progress.places.items():
            steps = (("fetched", state.fetched), ("applied", state.applied), ("committed", state.committed))
            for step, offset in (*steps, ("end", ends.get(place, state.applied))):
                topic = place.topic.removeprefix(self.settings.topic_prefix)
                self.metrics.offset.labels(topic, place.partition, step).set(offset)

    def _connected(self) -> AIOKafkaConsumer | None:
        return None if self._subscription is None else self._subscription.consumer

    async def _stop_consuming(self) -> None:
        self._leaving.set()
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.stop()

    async def _consume(self, records: Sequence[Fetched]) -> None:
        try:
            await self.consumer.consume(records)
        except TooManyDeadLettersError as error:
            # Consuming stops, visibly, instead of skipping records: a person finds the cause and restarts the service.
            self._halted = f"stopped: {error}"
            log.error("consumer_halted", reason=str(error))  # noqa: TRY400 - no words of exceptions in logs
            await self._leaving.wait()
            raise
        except Exception as error:
            log.error("batch_failed", error=error)  # noqa: TRY400 - as above
            await asyncio.sleep(_RECONNECT_SECONDS)  # FastStream reads the batch again at once
            raise

    async def _maintain(self) -> None:
        await self.supervisor.loop("maintenance").repeat(self._tend, _MAINTAIN_SECONDS, "maintenance_failed")

    async def _tend(self) -> None:
        """A week ahead of need, so that a failure may be tried again."""
        async with self.database.transaction("maintain") as tx:
            await tx.execute("SELECT inbox_maintain(CAST(:today AS date), 7, 14)", today=tx.now.date())
        self.supervisor.loop("maintenance").progress()
        await discard_ownerless(self.database, self.settings.dead_letter_sealed_days)

    # --- health ---------------------------------------------------------------------------------------------------

    @property
    def joined(self) -> bool:
        """Whether it reads its topics, if it has any."""
        return self._subscription is not None or not self.consumer.topics

    async def problems(self) -> dict[str, str]:
        """Why this service is not ready, by part."""
        return {name: problem for name, check in self._checks.items() if (problem := await check())}

    async def _database(self) -> str | None:
        try:
            async with asyncio.timeout(3):
                version = await migrations.current(self.database.engine)
        except Exception as error:  # noqa: BLE001 - of any class: the database does not answer
            return f"does not answer ({type(error).__name__})"
        # A newer version is fine: migrations only add, until no release that runs on the old tables is in use.
        if version is not None and version >= self._head:
            return None
        return f"at version {version}, needs {self._head}: run migrate"

    async def _tasks(self) -> str | None:
        return self.supervisor.problem()

    async def _kafka(self) -> str | None:
        if self._halted:
            return self._halted
        if not self.consumer.topics:
            return None
        if self._subscription is None:
            return self._unconnected
        if problem := self._subscription.problem() or self.producer.refused():
            return problem
        try:
            async with asyncio.timeout(3):
                await self.producer.ping()
        except Exception as error:  # noqa: BLE001 - of any class: the broker does not answer
            return refusal(error, "write") or f"does not answer ({type(error).__name__})"
        return None


def _name(loop: Repeating, number: int) -> str:
    """The name of a background task in metrics: the class or function that runs the loop."""
    owner = getattr(loop, "__self__", None) or getattr(loop, "func", loop)
    return f"{getattr(owner, '__name__', type(owner).__name__).lower()}.{number}"


async def _cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
