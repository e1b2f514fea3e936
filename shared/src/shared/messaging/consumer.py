"""Applies batches of records: inbox + state + outbox in one transaction, offsets after its commit.

A record counts once, however often it is read (invariant I7). A bad record goes to the dead letters in the same
transaction and holds up nobody. When the database is away the same batch is tried again, with growing pauses.

A shop's own topic says which shop a record is from, whatever the record says. What a shop writes that is no order is
put aside, counted for that shop alone, and the shop is told.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from opentelemetry.trace import SpanKind

from shared.contracts.base import Event
from shared.contracts.storefront import OrderSubmitted, contract, shop_of
from shared.database import Database, Tx, is_infrastructure
from shared.messaging import inbox
from shared.messaging.cloudevents import (
    Envelope,
    UnreadableError,
    broker_time,
    read_body,
    read_envelope,
    read_headers,
)
from shared.messaging.dead_letters import DeadLetter, Limit, ShopLimits, put_aside
from shared.messaging.record_batches import Fetched, NoRecord, UnreadableRecord, until
from shared.sealed import Sealer
from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Span, Tracing, trace_id

log = get_logger(__name__)
E_co = TypeVar("E_co", bound=Event, covariant=True)
_FIRST_PAUSE, _LONGEST_PAUSE, _GIVE_UP_AFTER = 0.1, 5.0, 60.0


@dataclass(slots=True, frozen=True)
class Received(Generic[E_co]):
    """A fact as it arrived. `trace` is what the work that follows from it continues."""

    event: E_co
    id: UUID
    time: datetime
    trace: str | None


@dataclass(slots=True, frozen=True)
class Tombstone:
    """The end of a key on a compacted topic: nothing about it may be kept."""

    topic: str
    key: str
    id: UUID
    trace: str | None


#: Applies facts of one kind, any number at a time, by statements over whole sets. It must not commit.
Handler = Callable[[Tx, Sequence[Received[Any]]], Awaitable[None]]
TombstoneHandler = Callable[[Tx, Sequence[Tombstone]], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class RefusedRecord:
    """A record of a shop's topic that was put aside. `value` is the record's; `shop` None where nobody can say."""

    shop: str | None
    value: bytes | None
    reason: str
    detail: str
    trace: str | None


#: Tells shops what was put aside of theirs. It publishes, and must not commit.
Teller = Callable[[Tx, Sequence[RefusedRecord]], None]


@dataclass(slots=True)
class _Item:
    record: Fetched
    topic: str
    id: UUID
    source: str
    outside: bool
    fact: Received[Any] | Tombstone
    span: Span


class Consumer:
    """What one service does with the topics it reads."""

    def __init__(
        self,
        database: Database,
        tracing: Tracing,
        metrics: Metrics,
        sealer: Sealer,
        *,
        prefix: str = "",
        limit: Limit | None = None,
        shop_limits: ShopLimits | None = None,
        group: str = "",
    ) -> None:
        self._database = database
        self._tracing = tracing
        self._metrics = metrics
        self._sealer = sealer
        self._prefix = prefix
        self._limit = limit or Limit()
        self._shop_limits = shop_limits or ShopLimits()
        self._teller: Teller | None = None
        #: The one shop whose user may still write the topic that all shops shared.
        self._shared_shop: str | None = None
        self._described = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.consumer.group.name": prefix + group,
            "messaging.client.id": group,
        }
        #: The next offset by (topic, partition), and when anything was applied last (monotonic); for figures of lag.
        self.applied: dict[tuple[str, int], int] = {}
        self.applied_at = time.monotonic()
        self._handlers: dict[str, Handler] = {}
        self._tombstones: dict[str, TombstoneHandler] = {}

    def on(self, handlers: Mapping[type[Event], Handler]) -> None:
        """Apply facts of these classes with these handlers."""
        for event_class, handler in handlers.items():
            self._handlers[event_class.topic] = handler

    def on_tombstone(self, event_class: type[Event], handler: TombstoneHandler) -> None:
        """Apply the end of keys on this compacted topic."""
        self._tombstones[event_class.topic] = handler

    def on_shops(self, topics: Sequence[str], handler: Handler, teller: Teller, *, shared_shop: str | None) -> None:
        """Apply orders that shops submit on these topics of theirs, and on the shared one for `shared_shop` alone."""
        for topic in (*topics, OrderSubmitted.topic):
            self._handlers[topic] = handler
        self._teller, self._shared_shop = teller, shared_shop

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics this service reads, without prefix."""
        return tuple(sorted(self._handlers))

    @property
    def tombstones(self) -> tuple[str, ...]:
        """Those of them whose tombstones it applies."""
        return tuple(sorted(self._tombstones))

    async def consume(self, records: Sequence[Fetched]) -> None:
        """Apply a batch; returns when it is committed, so that offsets may follow.

        Raises TooManyDeadLettersError when the batch must not be skipped, and the last infrastructure error when the
        database stayed away for a minute (the batch is then read again).
        """
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            try:
                await self._apply(records)
            except Exception as error:
                if not is_infrastructure(error) or waited > _GIVE_UP_AFTER:
                    raise
                log.warning("batch_postponed", error=error, records=len(records))
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                waited += pause
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                self._note(records)
                return

    def _note(self, records: Sequence[Fetched]) -> None:
        self.applied.update({(record.topic, record.partition): until(record) for record in records})
        self.applied_at = time.monotonic()

    def check(self, record: Fetched) -> None:
        """Look whether this release can read a record and has a handler for it. Raises UnreadableError."""
        self._parse(record, record.topic.removeprefix(self._prefix))

    async def apply_again(self, tx: Tx, record: Fetched, *, remembered: bool) -> bool:
        """Apply a record that had been put aside, as if it came now; False where the fact was applied meanwhile.

        `remembered`: its id went into the inbox when its handler failed, and comes out again first. Raises
        UnreadableError or what the handler raises; then nothing of it stays in the transaction, which goes on.
        """
        item = self._item(record, record.topic.removeprefix(self._prefix))
        outgoing, new_work = len(tx.outgoing), len(tx.new_work)
        try:
            async with tx.connection.begin_nested():
                if remembered:
                    await inbox.forget(tx, item)
                fresh = await inbox.unseen(tx, [item])
                await self._handle(tx, fresh)
        except Exception as error:
            del tx.outgoing[outgoing:], tx.new_work[new_work:]
            item.span.end(error)
            raise
        item.span.end()
        return bool(fresh)

    async def _apply(self, fetched: Sequence[Fetched]) -> None:
        records = [record for record in fetched if not isinstance(record, NoRecord)]
        items, dead = self._read(records)
        try:
            fresh, dead_now = await self._commit(items, dead, isolated=False)
        except Exception as error:
            if is_infrastructure(error):
                _end(items, error)
                raise
            log.warning("batch_taken_apart", error=error, records=len(items))
            fresh, dead_now = await self._commit(items, dead, isolated=True)
        _end(items, None)
        self._count(fresh, len(records) - len(dead) - len(fresh), dead_now)

    async def _commit(
        self, items: list[_Item], dead: list[DeadLetter], *, isolated: bool
    ) -> tuple[list[_Item], list[DeadLetter]]:
        """One transaction for the batch; `isolated` gives every record its own savepoint."""
        dead = list(dead)
        async with self._database.transaction("consumer") as tx:
            fresh = await inbox.unseen(tx, items)
            if isolated:
                for item in fresh:
                    if (letter := await self._try_alone(tx, item)) is not None:
                        dead.append(letter)
            else:
                await self._handle(tx, fresh)
            ours = [letter for letter in dead if not _is_shops(letter.topic)]
            self._limit.check(len(ours))
            shops = self._fit_shops(tx, [letter for letter in dead if _is_shops(letter.topic)])
            if dead:
                await put_aside(tx, [*ours, *(letter for kept in shops.values() for letter in kept)], self._sealer)
        self._limit.count(len(ours))
        for shop, kept in shops.items():
            self._shop_limits.count(shop, len(kept))
        self._metrics.transactions.labels("consumer").inc()
        return fresh, dead

    def _fit_shops(self, tx: Tx, letters: list[DeadLetter]) -> dict[str, list[DeadLetter]]:
        """What is kept of each shop's junk; the shop is told of what is kept one by one."""
        groups: dict[str, list[DeadLetter]] = {}
        for letter in letters:
            groups.setdefault(shop_of(letter.topic) or "", []).append(letter)
        kept_by_shop = {}
        for shop, group in groups.items():
            kept, ranges = self._shop_limits.fit(shop, group)
            kept_by_shop[shop] = [*kept, *ranges]
            if self._teller is not None:
                refused = [
                    RefusedRecord(shop or None, one.payload, one.reason, one.detail, one.headers.get("traceparent"))
                    for one in kept
                ]
                self._teller(tx, refused)
        return kept_by_shop

    async def _handle(self, tx: Tx, items: Sequence[_Item]) -> None:
        facts: dict[str, list[Received[Any]]] = {}
        tombstones: dict[str, list[Tombstone]] = {}
        for item in items:
            if isinstance(item.fact, Tombstone):
                tombstones.setdefault(item.topic, []).append(item.fact)
            else:
                facts.setdefault(item.topic, []).append(item.fact)
        for topic in sorted(facts):
            await self._handlers[topic](tx, facts[topic])
        for topic in sorted(tombstones):
            await self._tombstones[topic](tx, tombstones[topic])

    async def _try_alone(self, tx: Tx, item: _Item) -> DeadLetter | None:
        outgoing, new_work = len(tx.outgoing), len(tx.new_work)
        try:
            async with tx.connection.begin_nested():
                await self._handle(tx, [item])
        except Exception as error:
            if is_infrastructure(error):
                raise
            del tx.outgoing[outgoing:], tx.new_work[new_work:]
            log.warning(
                "record_failed",
                topic=item.topic,
                event_id=str(item.id),
                trace_id=trace_id(item.fact.trace),
                error=error,
            )
            return _letter(item.record, item.topic, "handler_failed", error_place(error))
        return None

    def _read(self, records: Sequence[Fetched]) -> tuple[list[_Item], list[DeadLetter]]:
        items: dict[tuple[str, UUID], _Item] = {}
        dead = []
        for record in records:
            topic = record.topic.removeprefix(self._prefix)
            try:
                item = self._item(record, topic)
            except UnreadableError as error:
                dead.append(_letter(record, topic, error.reason, error.detail))
            except Exception as error:  # noqa: BLE001 - whatever a record makes our code raise is that record's
                dead.append(_letter(record, topic, "unreadable", error_place(error)))
            else:
                items.setdefault((item.source, item.id), item)
        return list(items.values()), dead

    def _item(self, record: Fetched, topic: str) -> _Item:
        envelope, event = self._parse(record, topic)
        span = self._span(record, topic, envelope)
        fact: Received[Any] | Tombstone
        if event is None:
            fact = Tombstone(topic, _key(record) or "", envelope.id, span.traceparent)
        else:
            fact = Received(event, envelope.id, envelope.time, span.traceparent)
        return _Item(record, topic, envelope.id, envelope.source, envelope.outside, fact, span)

    def _parse(self, record: Fetched, topic: str) -> tuple[Envelope, Event | None]:
        """What the record says; no event for a tombstone. Raises UnreadableError."""
        if isinstance(record, UnreadableRecord):
            raise UnreadableError(record.reason, record.detail)
        envelope = read_envelope(read_headers(record.headers), topic, broker_time(record.timestamp))
        if record.value is None and topic in self._tombstones:
            return envelope, None
        event = read_body(topic, envelope.type, record.value or b"")
        if topic not in self._handlers:
            raise UnreadableError("not_read", f"this release does not read {topic!r}")
        return envelope, self._of_its_shop(topic, event)

    def _of_its_shop(self, topic: str, event: Event) -> Event:
        """A submission is from the shop whose topic it stands on. Raises UnreadableError where that is nobody's."""
        if not isinstance(event, OrderSubmitted):
            return event
        shop = shop_of(topic)
        if shop is None:
            if self._teller is not None and event.storefront != self._shared_shop:
                raise UnreadableError(
                    "shared_topic_closed",
                    "submit on the shop's own topic, storefront.<shop>.orders: this one says nobody",
                )
            log.warning("shared_topic_used", storefront=event.storefront)
        elif event.storefront != shop:
            self._metrics.refused.labels(shop, "named_another_shop").inc()
            return event.model_copy(update={"storefront": shop})
        return event

    def _span(self, record: Fetched, topic: str, envelope: Envelope) -> Span:
        if not self._tracing.records(envelope.trace):
            return self._tracing.start(topic, envelope.trace)
        attributes: dict[str, str | int] = {
            **self._described,
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.message.id": str(envelope.id),
        }
        if record.value is None:
            attributes["messaging.kafka.message.tombstone"] = True
        return self._tracing.start(f"process {topic}", envelope.trace, SpanKind.CONSUMER, attributes)

    def _count(self, fresh: list[_Item], duplicates: int, dead: list[DeadLetter]) -> None:
        self._metrics.batch.observe(len(fresh) + duplicates + len(dead))
        self._metrics.duplicates.inc(duplicates)
        now = self._database.clock.now()
        counts: dict[str, int] = {}
        for item in fresh:
            counts[item.topic] = counts.get(item.topic, 0) + 1
        for topic, count in counts.items():
            self._metrics.consumed.labels(topic).inc(count)
        if fresh and isinstance(fresh[0].fact, Received):
            self._metrics.event_age.observe(max(0.0, (now - fresh[0].fact.time).total_seconds()))
        for letter in dead:
            topic = letter.topic if contract(letter.topic) else "unknown"
            self._metrics.dead.labels(topic, letter.reason).inc()
            if (shop := shop_of(letter.topic)) is not None:
                self._metrics.refused.labels(shop, letter.reason).inc()
            told = trace_id(letter.headers.get("traceparent"))
            log.warning("dead_letter", topic=topic, reason=letter.reason, detail=letter.detail, trace_id=told)


def _letter(record: Fetched, topic: str, reason: str, detail: str) -> DeadLetter:
    headers = read_headers(record.headers)
    return DeadLetter(topic, record.partition, record.offset, _key(record), headers, record.value, reason, detail)


def _is_shops(topic: str) -> bool:
    return topic == OrderSubmitted.topic or shop_of(topic) is not None


def _key(record: Fetched) -> str | None:
    return None if record.key is None else bytes(record.key).decode("utf-8", "replace").replace("\x00", "")


def _end(items: Sequence[_Item], error: BaseException | None) -> None:
    for item in items:
        item.span.end(error)
