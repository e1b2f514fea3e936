"""Fetches records and commits their offsets so that no record is skipped between the two.

Before every fetch each partition is set back to its applied offset, so whatever was raised since the last fetch (by
aiokafka, FastStream or a handler) skips no record. Only offsets of records that were applied, or stored as dead
letters, are committed. A gap in the fetched offsets is fetched again, and in the end stored like a bad record.
"""

from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.messaging import fetching
from shared.messaging.progress import Progress
from shared.messaging.record_batches import BatchError, Fetched, UnreadableRecord, ends, unreadable, until
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Counts what went wrong between fetch and commit, by a stable word.
Count = Callable[[str], None]
_IDLE_WAIT_MS = 1000
_POSITION_WAIT_MS = 50
#: Bytes that may have been damaged on their way are fetched this often before they are stored as dead letters.
_FETCHES = 3


class BatchReader:
    """Reads for one consumer. `progress` holds what was fetched, applied and committed of each partition."""

    def __init__(self, max_records: int, count: Count) -> None:
        self.progress = Progress()
        self._max_records = max_records
        self._count = count
        self._assignment: object | None = None
        self._tries: dict[tuple[TopicPartition, int], int] = {}

    # --- fetching -------------------------------------------------------------------------------------------------

    async def fetch(self, consumer: AIOKafkaConsumer) -> tuple[Fetched, ...]:
        """Fetch records, each of which follows what was applied of its partition. Raises KafkaError."""
        await self._set_back(consumer)
        assignment = self._assignment
        complete = len(self.progress.places) == len(consumer.assignment())
        wait = _IDLE_WAIT_MS if complete else _POSITION_WAIT_MS
        fetched = await consumer.getmany(timeout_ms=wait, max_records=self._max_records)
        if not fetched:
            await self.commit_applied(consumer)
        if fetching.assignment_of(consumer) is not assignment or not fetched.keys() <= self.progress.places.keys():
            # Reassigned meanwhile: begin at the group's committed offsets, not after these records.
            for place, records in fetched.items():
                _seek(consumer, place, records[0].offset)
            return ()
        batch: list[Fetched] = []
        ends: dict[TopicPartition, int] = {}
        for place, records in fetched.items():
            for record in await self._following(consumer, place, records):
                batch.append(record)
                ends[place] = until(record)
        positions = fetching.positions(consumer)
        for place, expected in self.progress.moved(positions).items():
            if place not in fetched and positions[place] > expected:
                for record in await self._gap(consumer, place, expected, positions[place]):
                    batch.append(record)
                    ends[place] = until(record)
        self.progress.fetched(ends)
        return tuple(batch)

    async def _set_back(self, consumer: AIOKafkaConsumer) -> None:
        """Continue every partition at its applied offset, whatever has happened since the last fetch."""
        assignment = fetching.assignment_of(consumer)
        if assignment is not self._assignment:
            self._assignment = assignment
            self.progress.forget()
            self._tries.clear()
        positions = fetching.positions(consumer)
        for place in consumer.assignment() - self.progress.places.keys():
            # Nothing is fetched of a partition until its first position is there.
            if place in positions:
                self.progress.begin({place: positions[place]})
                consumer.resume(place)
            else:
                consumer.pause(place)
        for place, applied in self.progress.moved(positions).items():
            if positions[place] > applied:
                log.info("set_back", topic=place.topic, partition=place.partition, offset=applied, was=positions[place])
            _seek(consumer, place, await self._readable(consumer, place, applied))

    async def _readable(self, consumer: AIOKafkaConsumer, place: TopicPartition, applied: int) -> int:
        """The applied offset; the topic's first one where records after the applied one no longer exist (logged)."""
        begin: int = (await consumer.beginning_offsets([place]))[place]
        end: int = (await consumer.end_offsets([place]))[place]
        if begin <= applied <= end:
            return applied
        log.error("records_gone", topic=place.topic, partition=place.partition, applied=applied, begin=begin, end=end)
        self._count("records_gone")
        self.progress.begin({place: begin})
        return begin

    async def _following(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, records: Sequence[Fetched]
    ) -> Sequence[Fetched]:
        """The records that follow what was applied, up to a gap or a damaged record that is fetched again."""
        if (gap := self.progress.gap(place, records)) is not None:
            before = [record for record in records if record.offset < gap]
            if before and before[0].offset == self.progress.places[place].applied:
                _seek(consumer, place, gap)
                return before
            later = [record.offset for record in records if record.offset > gap]
            return await self._gap(consumer, place, gap, later[0] if later else gap + 1)
        for index, record in enumerate(records):
            if isinstance(record, UnreadableRecord):
                log.error(
                    "record_unreadable",
                    topic=place.topic,
                    partition=place.partition,
                    offset=record.offset,
                    until=record.until,
                    reason=record.reason,
                )
                if record.repeatable and self._may_fetch_again(place, record.offset):
                    self._count("fetched_again")
                    _seek(consumer, place, record.offset)
                    return records[:index]
                self._count(record.reason)
        return records

    async def _gap(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, expected: int, end: int
    ) -> Sequence[Fetched]:
        """Fetch the missing records up to `end` again; after some tries the gap itself is handed out as unreadable."""
        log.error("offsets_missing", topic=place.topic, partition=place.partition, offset=expected)
        self._count("offsets_missing")
        readable = await self._readable(consumer, place, expected)
        if readable != expected or self._may_fetch_again(place, expected):
            _seek(consumer, place, readable)
            return ()
        _seek(consumer, place, end)
        missing = BatchError("offsets_missing", "the broker has them, and aiokafka never hands them out")
        return [unreadable(place, expected, end, None, missing)]

    def _may_fetch_again(self, place: TopicPartition, offset: int) -> bool:
        tries = self._tries[place, offset] = self._tries.get((place, offset), 1) + 1
        return tries <= _FETCHES

    # --- committing -----------------------------------------------------------------------------------------------

    async def commit(self, consumer: AIOKafkaConsumer, records: Sequence[Fetched]) -> None:
        """Commit the offsets of these records, which were applied or stored as dead letters, and no others."""
        if fetching.assignment_of(consumer) is not self._assignment:
            return  # reassigned meanwhile: their new consumer reads them again, and the inbox recognises them
        self.progress.applied(ends(records))
        await self.commit_applied(consumer)

    async def commit_applied(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what is applied and not committed yet. A commit that fails is tried again after the next fetch."""
        offsets = self.progress.uncommitted()
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except (KafkaError, IllegalStateError) as error:
            log.warning("offsets_not_committed", error=error, partitions=len(offsets))
            self._count("offsets_not_committed")
        else:
            self.progress.committed(offsets)


def _seek(consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> None:
    try:
        consumer.seek(place, offset)
    except IllegalStateError:
        return  # the partition belongs to another consumer now
