"""Metrics of what waits and how long: unread records, tasks, the outbox, dead letters. Read by a loop of its own.

One request to Kafka and one statement per round, whatever the traffic, and also while the consumer stands still. Every
instance reports the rows of the whole database: take the maximum over instances, not the sum. Of Kafka each instance
reports its own partitions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.storefront import contract
from shared.database import Database, Tx
from shared.supervision import Loop
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import Metrics

log = get_logger(__name__)
ROUND_SECONDS = 10.0
_KAFKA_SECONDS = 5.0
#: The outbox is counted up to here: a longer one is a fault, whatever its exact length.
_COUNTED = 10_000
_ROUND = """
SELECT 'work' AS what, kind AS name, CASE WHEN state = 'due' AND due_at > :now THEN 'scheduled' ELSE state END AS state,
  count(*) AS rows, CAST(extract(epoch FROM :now - min(due_at)) AS float8) AS age,
  count(*) FILTER (WHERE attempts > 0) AS retried
FROM work GROUP BY 2, 3
UNION ALL SELECT 'outbox', '', '', (SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT :counted) AS bounded),
  (SELECT CAST(extract(epoch FROM :now - born_at) AS float8) FROM outbox ORDER BY id LIMIT 1), 0
UNION ALL SELECT 'dead', topic, reason, count(*), CAST(extract(epoch FROM :now - min(received_at)) AS float8), 0
FROM dead_letters WHERE state = 'waiting' GROUP BY topic, reason
"""
#: Reads a service's own metrics in the same transaction.
Reading = Callable[[Tx], Awaitable[None]]

#: Compares fetched, applied and committed offsets with the ends of the partitions.
Compare = Callable[[Mapping[TopicPartition, int]], None]


class Applying(Protocol):
    """What the consumer has applied: the next offset by (topic, partition), and when (monotonic)."""

    applied: dict[tuple[str, int], int]
    applied_at: float


class Backlog:
    """Measures how far behind one instance and its database are."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        applying: Applying,
        connected: Callable[[], AIOKafkaConsumer | None],
        *,
        prefix: str = "",
        compare: Compare = lambda _ends: None,
        look: Callable[[], object] = lambda: None,
    ) -> None:
        self.look = look
        self._compare = compare
        self.readings: list[Reading] = []
        self._database = database
        self._metrics = metrics
        self._applying = applying
        self._connected = connected
        self._prefix = prefix
        self._committed: dict[TopicPartition, int] = {}
        self._behind_since: float | None = None

    async def run(self, loop: Loop) -> None:
        """Measure every ten seconds until cancelled; a metric that cannot be read keeps its last value."""
        counting, measuring = loop.part("database"), loop.part("kafka")

        async def look() -> None:
            self.look()
            with _watched(counting, "backlog_not_counted"):
                await self.count()
            with _watched(measuring, "lag_not_measured"):
                async with asyncio.timeout(_KAFKA_SECONDS):
                    await self.measure_lag()

        await loop.repeat(look, ROUND_SECONDS, "backlog_failed")

    async def count(self) -> None:
        """Count rows in the database. Raises psycopg.Error."""
        async with self._database.reading() as tx:
            rows = (await tx.execute(_ROUND, now=tx.now, counted=_COUNTED)).all()
            for reading in self.readings:
                await reading(tx)
        metrics = self._metrics
        for gauge in (
            metrics.waiting,
            metrics.work_age,
            metrics.retrying,
            metrics.dead_letters,
            metrics.dead_letters_age,
        ):
            gauge.clear()
        for row in rows:
            age = max(0.0, row.age or 0.0)
            if row.what == "work":
                metrics.waiting.labels(row.name, row.state).set(row.rows)
                metrics.work_age.labels(row.name, row.state).set(age)
                metrics.retrying.labels(row.name).inc(row.retried)
            elif row.what == "outbox":
                metrics.outbox.set(row.rows)
                metrics.outbox_age.set(age)
            else:
                topic = row.name if contract(row.name) else "unknown"
                metrics.dead_letters.labels(topic, row.state).inc(row.rows)
                oldest = metrics.dead_letters_age.labels(topic)
                oldest.set(max(age, oldest._value.get()))  # noqa: SLF001 - several reasons, one oldest

    async def measure_lag(self) -> None:
        """Count the records of our partitions that are not applied yet. Raises KafkaError."""
        consumer = self._connected()
        if consumer is None:
            return
        assigned = consumer.assignment()
        ends = await consumer.end_offsets(assigned) if assigned else {}
        await self._read_committed(consumer, ends)
        self._metrics.lag.clear()
        behind = 0
        for place, end in ends.items():
            lag = max(0, end - self._applied(place))
            behind += lag
            self._metrics.lag.labels(place.topic.removeprefix(self._prefix), place.partition).set(lag)
        self._set_stalled(behind)
        self._compare(ends)

    def _applied(self, place: TopicPartition) -> int:
        return max(self._committed.get(place, 0), self._applying.applied.get((place.topic, place.partition), 0))

    async def _read_committed(self, consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> None:
        """Read the committed offsets of partitions that are new here, or seem to have records that are not applied.

        Another instance may have had such a partition since the last round, and returned it.
        """
        for place in self._committed.keys() - ends.keys():
            del self._committed[place]
        behind = [place for place, end in ends.items() if place not in self._committed or self._applied(place) < end]
        starts = await consumer.beginning_offsets(behind) if behind else {}
        for place in sorted(behind):
            committed = await consumer.committed(place)
            self._committed[place] = starts[place] if committed is None else committed

    def _set_stalled(self, behind: int) -> None:
        now = time.monotonic()
        if not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = now
        since = self._behind_since
        self._metrics.stalled.set(0.0 if since is None else now - max(since, self._applying.applied_at))


@contextmanager
def _watched(loop: Loop, failure: str) -> Iterator[None]:
    """One half of a round; the other half continues when this one fails."""
    try:
        with loop.step():
            yield
    except Exception as error:  # noqa: BLE001 - tried again in the next round; a standstill is seen
        log.warning(failure, error=error)
