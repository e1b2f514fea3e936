"""The fixture `stage`: topics and databases for one test, services in this process, and methods to publish and read.

See docs/architecture/test-harness.md.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from shared.clock import SystemClock
from shared.contracts.base import EVENTS, Erasure, Event
from shared.contracts.storefront import topic_for
from shared.database import Outgoing
from shared.kernel.service import Service
from shared.kernel.settings import ServiceSettings
from shared.messaging.cloudevents import (
    Headers,
    UnreadableError,
    header_texts,
    read_body,
    read_envelope,
    read_headers,
    to_wire,
)
from shared.messaging.consumer import Received
from shared.messaging.fetching import hang_up
from shared.messaging.producer import Producer
from shared.messaging.topics import owned_topics
from shared.testing import beside, topic_sets
from shared.testing.backends import backends
from shared.testing.databases import drop_database, new_database

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=ServiceSettings)
T = TypeVar("T")
_NO_TIME = datetime.fromtimestamp(0, UTC)
#: The service whose topics a test service writes.
_PARTS = {"shared.testing.toy": "notifications"}
#: How long a test waits, in seconds. Long, because a busy machine must not fail a test.
PATIENCE = 60.0


class Stage:
    """Created by the `stage` fixture. Without `topics` it creates new ones and removes them at its end."""

    #: False where tests publish bad records on purpose: reading then skips them.
    strict = True

    def __init__(self, topics: topic_sets.TopicSet | None = None) -> None:
        self.kafka = backends().kafka
        self._end_topics = topic_sets.remove if topics is None else topic_sets.give_back
        self._topics = topics or topic_sets.TopicSet()
        self.prefix = self._topics.prefix
        self._running: dict[int, AsyncExitStack] = {}
        self._producer = Producer(self.kafka, prefix=self.prefix)
        self._stack = AsyncExitStack()

    async def settings(self, settings_class: type[S], service: str, **overrides: Any) -> S:
        """Settings for a service of this stage, with a database of its own."""
        url = overrides.pop("database_url", None) or await self.database(service)
        return settings_class(
            database_url=url,
            kafka_bootstrap_servers=self.kafka.bootstrap_servers,
            topic_prefix=self.prefix,
            **{"http_port": 0, **overrides},
        )

    async def database(self, service: str) -> str:
        """An empty, migrated database of that service, until the test ends; its SQLAlchemy URL."""
        url = await asyncio.to_thread(new_database, service)
        self._stack.callback(beside.remove, drop_database, url)
        return url

    async def service(self, build: Callable[[S], Service], settings_class: type[S], **overrides: Any) -> Service:
        """Run a service in this process until the test ends (or until `stop`)."""
        name = settings_class.__module__.rpartition(".")[0]
        running = build(await self.settings(settings_class, name, **overrides))
        await self.ensure_topics([*owned_topics(_PARTS.get(name, name)), *running.consumer.topics])
        own = await self._stack.enter_async_context(AsyncExitStack())
        await own.enter_async_context(running.running())
        self._running[id(running)] = own
        try:
            await self.eventually(lambda: _is_ready(running))
        except TimeoutError:
            raise TimeoutError(f"{name} did not become ready: {await running.problems()}") from None
        return running

    async def stop(self, service: Service) -> None:
        """Stop a service before the test ends; its database stays."""
        await self._running.pop(id(service)).aclose()

    async def ensure_topics(self, topics: Iterable[str]) -> None:
        """Create topics of this stage that do not exist yet."""
        wanted = set(topics)
        if not wanted <= self._topics.topics:
            await asyncio.to_thread(self._topics.create, self.kafka, wanted)

    async def publish(self, *events: Event, trace: str | None = None) -> list[Outgoing]:
        """Publish facts as their owners would; returns them with their ids, ready for `republish`."""
        outgoing = [Outgoing(event, trace) for event in events]
        await self.republish(*outgoing)
        return outgoing

    async def erase(self, event_class: type[Event], key: object) -> None:
        """Publish a tombstone, as the owner of a compacted topic does: nothing about the key may be kept."""
        await self.republish(Outgoing(Erasure(event_class, str(key)), None))

    async def republish(self, *outgoing: Outgoing) -> None:
        """Publish the same events again, with the same ids."""
        now = SystemClock().now()
        await self.ensure_topics(_address(event) for event in outgoing)
        futures = [
            await self._producer.send(
                _address(event),
                event.event.key().encode(),
                event.body,
                to_wire(header_texts(event, now)),
            )
            for event in outgoing
        ]
        await asyncio.gather(*futures)

    async def raw(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        """Publish any record at all."""
        await self.ensure_topics([topic])
        await (await self._producer.send(topic, key, value, headers or []))

    async def events(
        self,
        event_class: type[E],
        *,
        count: int = 1,
        timeout: float = PATIENCE,  # noqa: ASYNC109 - a test's own patience
        where: Callable[[E], bool] = lambda _event: True,
    ) -> list[Received[E]]:
        """Read the topic from its beginning until it has `count` facts. Raises TimeoutError with the number read.

        A fact that was published twice (the relay may do that) counts once, as for every reader.
        """
        await self.ensure_topics([event_class.topic])
        received_facts: list[Received[E]] = []
        # Closed here: otherwise its consumer may still be stopping when the test's event loop ends.
        async with aclosing(self._read(event_class, timeout)) as facts:
            async for received in facts:
                if where(received.event):
                    received_facts.append(received)
                    if len(received_facts) >= count:
                        return received_facts
        if len(received_facts) < count:
            raise TimeoutError(f"{len(received_facts)} of {count} {event_class.__name__} within {timeout} s")
        return received_facts

    async def all_events(self, event_class: type[E]) -> list[Received[E]]:
        """All facts that are on the topic now."""
        await self.ensure_topics([event_class.topic])
        return [received async for received in self._read(event_class, None)]

    async def _read(self, event_class: type[E], seconds: float | None) -> AsyncGenerator[Received[E], None]:
        topic = self.prefix + event_class.topic
        seen: set[UUID] = set()
        consumer = AIOKafkaConsumer(topic, **self.kafka.aiokafka(), auto_offset_reset="earliest", group_id=None)
        try:
            await consumer.start()  # which may fail, on a topic just made, with connections open
            ends = await consumer.end_offsets(consumer.assignment())
            deadline = time.monotonic() + (seconds if seconds is not None else PATIENCE)
            while time.monotonic() < deadline:
                if seconds is None and all([await consumer.position(tp) >= end for tp, end in ends.items()]):
                    return
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    for record in records:
                        texts = read_headers(record.headers)
                        if record.value is None:
                            continue
                        try:
                            envelope = read_envelope(texts, event_class.topic, _NO_TIME)
                            event = read_body(event_class.topic, envelope.type, record.value)
                        except UnreadableError:
                            if self.strict:
                                raise
                            continue
                        if envelope.id in seen:
                            continue
                        seen.add(envelope.id)
                        if not isinstance(event, event_class):
                            raise TypeError(f"{topic} has a {type(event).__name__}")
                        yield Received(event, envelope.id, envelope.time, envelope.trace)
        finally:
            await consumer.stop()
            await hang_up(consumer)

    async def eventually(
        self,
        predicate: Callable[[], Awaitable[T | None]],
        timeout: float = PATIENCE,  # noqa: ASYNC109 - a test's own patience
    ) -> T:
        """Wait until the predicate is true; returns its value. Raises TimeoutError with the last value."""
        deadline = time.monotonic() + timeout
        while not (value := await predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true within {timeout} s; last value {value!r}")
            await asyncio.sleep(0.02)
        return value

    async def close(self) -> None:
        """Stop the services, remove databases, empty or remove the topics."""
        await self._stack.aclose()
        await self._producer.stop()
        if self._topics.topics:
            beside.remove(self._end_topics, self.kafka, self._topics)


async def _is_ready(service: Service) -> bool:
    # Joining the group takes longest. Until then database and broker need not be asked fifty times a second.
    return service.joined and await service.problems() == {}


def _address(outgoing: Outgoing) -> str:
    return topic_for(outgoing.event) if isinstance(outgoing.event, Event) else outgoing.event.topic


def known_topics() -> list[str]:
    """Every topic that has a contract."""
    return sorted(EVENTS)
