"""Applies batches of records: inbox, state and outbox in one transaction; offsets are committed after it.

A record is applied once, however often it is read (invariant I7). A bad record becomes a dead letter in the same
transaction and does not delay the others. While the database is unavailable the same batch is tried again, with
growing pauses.

A record on a shop's topic that is no valid order becomes a dead letter that counts for that shop alone, and a
rejection is published to the shop.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from shared.contracts.base import Event
from shared.contracts.storefront import OrderSubmitted, contract, shop_of
from shared.database import Database, Tx, is_infrastructure
from shared.messaging import dead_letters, inbox
from shared.messaging.cloudevents import UnreadableError, read_headers
from shared.messaging.dead_letters import DeadLetter, Limit, ShopLimits
from shared.messaging.parsing import ParsedRecord, Received, RecordParser, Tombstone, key_of
from shared.messaging.record_batches import Fetched, NoRecord, ends
from shared.sealed import Sealer
from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Tracing, trace_id

__all__ = ["Consumer", "Handler", "Received", "RefusedRecord", "RejectionPublisher", "Tombstone", "TombstoneHandler"]
log = get_logger(__name__)
_FIRST_PAUSE, _LONGEST_PAUSE, _GIVE_UP_AFTER = 0.1, 5.0, 60.0

#: Applies facts of one kind, any number at a time, by statements over whole sets. It must not commit.
Handler = Callable[[Tx, Sequence[Received[Any]]], Awaitable[None]]
TombstoneHandler = Callable[[Tx, Sequence[Tombstone]], Awaitable[None]]


@dataclass(slots=True, frozen=True)
class RefusedRecord:
    """A record of a shop's topic that became a dead letter. `shop` is None where the topic belongs to no shop."""

    shop: str | None
    value: bytes | None
    reason: str
    detail: str
    trace: str | None


#: Publishes rejections of refused records to their shops. It must not commit.
RejectionPublisher = Callable[[Tx, Sequence[RefusedRecord]], Awaitable[None]]


class Consumer:
    """What one service does with the topics it reads."""

    def __init__(
        self,
        database: Database,
        tracing: Tracing,
        metrics: Metrics,
        sealer: Sealer,
        *,
        prefix: str,
        limit: Limit,
        shop_limits: ShopLimits,
        group: str,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._sealer = sealer
        self._limit = limit
        self._shop_limits = shop_limits
        self._reject: RejectionPublisher | None = None
        self._parser = RecordParser(tracing, metrics, prefix=prefix, group=group)
        #: The next offset by (topic, partition), and when anything was applied last (monotonic); for metrics of lag.
        self.applied: dict[tuple[str, int], int] = {}
        self.applied_at = time.monotonic()
        self._handlers: dict[str, Handler] = {}
        self._tombstones: dict[str, TombstoneHandler] = {}

    # --- handlers -------------------------------------------------------------------------------------------------

    def on(self, handlers: Mapping[type[Event], Handler]) -> None:
        """Apply facts of these classes with these handlers."""
        for event_class, handler in handlers.items():
            self._handle_topic(event_class.topic, handler)

    def on_tombstone(self, event_class: type[Event], handler: TombstoneHandler) -> None:
        """Apply tombstones of this compacted topic with this handler."""
        self._tombstones[event_class.topic] = handler
        self._parser.tombstone_topics.add(event_class.topic)

    def on_shops(
        self, topics: Sequence[str], handler: Handler, reject: RejectionPublisher, *, shared_shop: str | None
    ) -> None:
        """Apply orders that shops submit on their own topics; on the topic of all shops, those of `shared_shop`."""
        for topic in (*topics, OrderSubmitted.topic):
            self._handle_topic(topic, handler)
        self._reject = reject
        self._parser.reads_shops, self._parser.shared_shop = True, shared_shop

    def _handle_topic(self, topic: str, handler: Handler) -> None:
        self._handlers[topic] = handler
        self._parser.topics.add(topic)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics that this service reads, without prefix."""
        return tuple(sorted(self._handlers))

    @property
    def tombstones(self) -> tuple[str, ...]:
        """Those of them whose tombstones it applies."""
        return tuple(sorted(self._tombstones))

    # --- applying -------------------------------------------------------------------------------------------------

    async def consume(self, records: Sequence[Fetched]) -> None:
        """Apply a batch; returns when it is committed, so that its offsets may be committed too.

        Raises TooManyDeadLettersError when the batch must not be skipped, and the last infrastructure error when the
        database was unavailable for a minute (the batch is then read again).
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
                self.applied.update(ends(records))
                self.applied_at = time.monotonic()
                return

    def check(self, record: Fetched) -> None:
        """Check that this release can read a record and has a handler for it. Raises UnreadableError."""
        self._parser.read(record)

    async def apply_again(self, tx: Tx, record: Fetched, *, remembered: bool) -> bool:
        """Apply the record of a dead letter as if it arrived now; False where its fact was applied meanwhile.

        `remembered`: its identity entered the inbox when its handler failed, and is removed first. Raises
        UnreadableError or what the handler raises; then nothing of it stays in the transaction, which goes on.
        """
        parsed = self._parser.parse(record)
        try:
            async with _savepoint(tx):
                if remembered:
                    await inbox.forget(tx, parsed)
                fresh = await inbox.unseen(tx, [parsed])
                await self._handle(tx, fresh)
        except Exception as error:
            parsed.span.end(error)
            raise
        parsed.span.end()
        return bool(fresh)

    async def _apply(self, fetched: Sequence[Fetched]) -> None:
        records = [record for record in fetched if not isinstance(record, NoRecord)]
        parsed, unreadable = self._parse(records)
        try:
            fresh, failed_records = await self._commit(parsed, unreadable, isolated=False)
        except Exception as error:
            if is_infrastructure(error):
                _end_spans(parsed, error)
                raise
            log.warning("batch_split", error=error, records=len(parsed))
            fresh, failed_records = await self._commit(parsed, unreadable, isolated=True)
        _end_spans(parsed, None)
        self._count(fresh, len(records) - len(unreadable) - len(fresh), failed_records)

    def _parse(self, records: Sequence[Fetched]) -> tuple[list[ParsedRecord], list[DeadLetter]]:
        """Parse a batch; an event that stands in it twice is taken once."""
        parsed: dict[tuple[str, int], ParsedRecord] = {}
        failed_records = []
        for record in records:
            try:
                readable = self._parser.parse(record)
            except UnreadableError as error:
                failed_records.append(self._dead_letter(record, error.reason, error.detail))
            except Exception as error:  # noqa: BLE001 - whatever a record makes our code raise concerns that record only
                failed_records.append(self._dead_letter(record, "unreadable", error_place(error)))
            else:
                parsed.setdefault((readable.source, readable.id.int), readable)
        return list(parsed.values()), failed_records

    async def _commit(
        self, parsed: Sequence[ParsedRecord], unreadable: Sequence[DeadLetter], *, isolated: bool
    ) -> tuple[list[ParsedRecord], list[DeadLetter]]:
        """Apply the batch in one transaction; `isolated` gives every record its own savepoint.

        Returns the records that had not been applied before, and all dead letters.
        """
        failed_records = list(unreadable)
        async with self._database.transaction("consumer") as tx:
            fresh = await inbox.unseen(tx, parsed)
            if isolated:
                alone = [await self._try_alone(tx, record) for record in fresh]
                failed_records += [dead_letter for dead_letter in alone if dead_letter is not None]
            else:
                await self._handle(tx, fresh)
            ours = [dead_letter for dead_letter in failed_records if not _is_from_shop(dead_letter.topic)]
            self._limit.check(len(ours))
            by_shop = await self._limit_shops(
                tx, [dead_letter for dead_letter in failed_records if _is_from_shop(dead_letter.topic)]
            )
            if failed_records:
                kept = [*ours, *(dead_letter for group in by_shop.values() for dead_letter in group)]
                await dead_letters.store(tx, kept, self._sealer)
        self._limit.count(len(ours))
        for shop, group in by_shop.items():
            self._shop_limits.count(shop, len(group))
        self._metrics.transactions.labels("consumer").inc()
        return fresh, failed_records

    async def _limit_shops(self, tx: Tx, failed_records: Sequence[DeadLetter]) -> dict[str, list[DeadLetter]]:
        """The dead letters to store, by shop; each that is stored by itself is rejected to its shop."""
        by_shop: dict[str, list[DeadLetter]] = {}
        for dead_letter in failed_records:
            by_shop.setdefault(shop_of(dead_letter.topic) or "", []).append(dead_letter)
        stored = {}
        for shop, group in by_shop.items():
            kept, ranges = self._shop_limits.fit(shop, group)
            stored[shop] = [*kept, *ranges]
            if self._reject is not None:
                refused = [
                    RefusedRecord(
                        shop or None,
                        dead_letter.payload,
                        dead_letter.reason,
                        dead_letter.detail,
                        dead_letter.headers.get("traceparent"),
                    )
                    for dead_letter in kept
                ]
                await self._reject(tx, refused)
        return stored

    async def _handle(self, tx: Tx, records: Sequence[ParsedRecord]) -> None:
        facts: dict[str, list[Received[Any]]] = {}
        tombstones: dict[str, list[Tombstone]] = {}
        for record in records:
            if isinstance(record.fact, Tombstone):
                tombstones.setdefault(record.topic, []).append(record.fact)
            else:
                facts.setdefault(record.topic, []).append(record.fact)
        for topic in sorted(facts):
            await self._handlers[topic](tx, facts[topic])
        for topic in sorted(tombstones):
            await self._tombstones[topic](tx, tombstones[topic])

    async def _try_alone(self, tx: Tx, record: ParsedRecord) -> DeadLetter | None:
        """Apply one record. A dead letter where its handler fails. Raises infrastructure errors."""
        try:
            async with _savepoint(tx):
                await self._handle(tx, [record])
        except Exception as error:
            if is_infrastructure(error):
                raise
            log.warning(
                "record_failed",
                topic=record.topic,
                event_id=str(record.id),
                trace_id=trace_id(record.fact.trace),
                error=error,
            )
            return self._dead_letter(record.record, "handler_failed", error_place(error))
        return None

    def _dead_letter(self, record: Fetched, reason: str, detail: str) -> DeadLetter:
        return DeadLetter(
            self._parser.topic_of(record),
            record.partition,
            record.offset,
            key_of(record),
            read_headers(record.headers),
            record.value,
            reason,
            detail,
        )

    def _count(self, fresh: Sequence[ParsedRecord], duplicates: int, failed_records: Sequence[DeadLetter]) -> None:
        self._metrics.batch.observe(len(fresh) + duplicates + len(failed_records))
        self._metrics.duplicates.inc(duplicates)
        now = self._database.clock.now()
        counts: dict[str, int] = {}
        for record in fresh:
            counts[record.topic] = counts.get(record.topic, 0) + 1
        for topic, count in counts.items():
            self._metrics.consumed.labels(topic).inc(count)
        if fresh and isinstance(fresh[0].fact, Received):
            self._metrics.event_age.observe(max(0.0, (now - fresh[0].fact.time).total_seconds()))
        for dead_letter in failed_records:
            topic = dead_letter.topic if contract(dead_letter.topic) else "unknown"
            self._metrics.dead.labels(topic, dead_letter.reason).inc()
            if (shop := shop_of(dead_letter.topic)) is not None:
                self._metrics.refused.labels(shop, dead_letter.reason).inc()
            trace = trace_id(dead_letter.headers.get("traceparent"))
            log.warning(
                "dead_letter", topic=topic, reason=dead_letter.reason, detail=dead_letter.detail, trace_id=trace
            )


@asynccontextmanager
async def _savepoint(tx: Tx) -> AsyncIterator[None]:
    """Undo what the block did when it raises: statements, events to publish and new tasks."""
    outgoing, new_work = len(tx.outgoing), len(tx.new_work)
    try:
        async with tx.connection.begin_nested():
            yield
    except Exception:
        del tx.outgoing[outgoing:], tx.new_work[new_work:]
        raise


def _is_from_shop(topic: str) -> bool:
    return topic == OrderSubmitted.topic or shop_of(topic) is not None


def _end_spans(records: Sequence[ParsedRecord], error: BaseException | None) -> None:
    for record in records:
        record.span.end(error)
