"""FastStream's batch subscriber, set up so that nothing can be lost between fetch and commit.

Acknowledgement is NACK_ON_ERROR on the broker itself, so no subscriber can inherit "at most once". The parser looks at
no header and the decoder at no body: one bad record must not spoil the batch before our own code sees it. Offsets are
committed one by one, and only of what was applied or put aside; before every fetch each partition is set back to its
applied offset, so whatever was raised since the last fetch (by aiokafka, FastStream or a handler) skips no record.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import ConsumerStoppedError, GroupAuthorizationFailedError, IllegalStateError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage as InjectedMessage
from faststream.kafka.message import FAKE_CONSUMER, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.messaging import fetching
from shared.messaging.access import KafkaAccess
from shared.messaging.progress import STALLED_SECONDS, Progress
from shared.messaging.record_batches import BatchError, Fetched, UnreadableRecord, unreadable, until
from shared.messaging.refusals import not_allowed, refusal
from shared.telemetry.logging import error_place, get_logger

log = get_logger(__name__)
Consume = Callable[[Sequence[Fetched]], Awaitable[None]]
#: Counts what went wrong between fetch and commit, by a stable word.
Count = Callable[[str], None]
_IDLE_WAIT_MS = 1000
#: Longer than FastStream's and aiokafka's pauses after a refusal: it stands until it is not repeated.
_REMEMBERED_SECONDS = 12.0
_POSITION_WAIT_MS = 50
_PAUSE_AFTER_ERROR = 1.0
#: Bytes that may have been damaged on their way are fetched this often before they are put aside.
_FETCHES = 3


class Subscription:
    """A service's one consumer: all its topics, one batch, one transaction."""

    def __init__(  # noqa: PLR0913 - each is one setting of it
        self,
        kafka: KafkaAccess,
        topics: Sequence[str],
        group: str,
        consume: Consume,
        *,
        max_records: int = 500,
        session_seconds: float = 6.0,
        pause_seconds: float = 0.0,
        client_id: str = "esim",
        count: Count = lambda _what: None,
    ) -> None:
        self._broker = KafkaBroker(
            kafka.bootstrap_servers,
            client_id=client_id,
            security=kafka.faststream(),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            logger=None,
            graceful_timeout=15.0,
            metadata_max_age_ms=10_000,
        )
        subscriber = self._broker.subscriber(
            *topics,
            batch=True,
            group_id=group,
            auto_offset_reset="earliest",
            rebalance_timeout_ms=60000,
            # After a kill -9 the group waits this long for the dead member before anyone gets its partitions.
            session_timeout_ms=round(session_seconds * 1000),
            heartbeat_interval_ms=round(session_seconds * 1000 / 3),
            max_records=max_records,
            batch_timeout_ms=10,
            parser=self._parse,
            decoder=_raw,
            listener=_Pausing(self),
        )

        self._in_hand_since: float | None = None

        async def handle(message: InjectedMessage) -> None:
            records = message.raw_message
            batch = records if isinstance(records, tuple) else (records,)
            self._in_hand_since = time.monotonic()
            try:
                await consume(batch)
                # Here and nowhere else: however a batch ends otherwise, its offsets are not committed.
                await self._commit(batch)
            finally:
                self._in_hand_since = None

        subscriber(handle)
        self._subscriber: BatchSubscriber = subscriber
        #: Set when the consumer will not get over it by itself and a new one is needed.
        self.broken = asyncio.Event()
        self._refused: tuple[str, float] | None = None
        self._pause = pause_seconds
        self._ready_at = 0.0
        self._count = count
        self._progress = Progress()
        self._assignment: object | None = None
        self._tries: dict[tuple[TopicPartition, int], int] = {}
        self._failing: tuple[str, float] | None = None
        self._stalled: list[str] = []
        self._looked_at = time.monotonic()
        # FastStream sleeps after an empty poll, and a record that comes meanwhile waits too; and see `_fetch`.
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign] # an instance's own

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    @property
    def progress(self) -> Progress:
        """What was fetched, applied and committed."""
        return self._progress

    async def start(self) -> None:
        """Connect and begin to consume. Raises KafkaError when the broker does not answer."""
        self._looked_at = time.monotonic()
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the batch in hand, commit its offsets and leave the group."""
        consumer = self.consumer
        await self._broker.stop()
        if consumer is not None:
            await fetching.hang_up(consumer)

    # --- health ---------------------------------------------------------------------------------------------------

    def problem(self) -> str | None:
        """Why this subscription is not at work, or None."""
        consumer = self.consumer
        if consumer is None:
            return "not connected to Kafka"
        if refused := self._refusal(consumer):
            return refused
        if not any(not task.done() for task in self._subscriber.tasks):
            return "the consuming task has ended"
        if (ended := fetching.ended_task(consumer)) is not None:
            self.broken.set()
            return f"aiokafka's {ended} task has ended"
        if not consumer.assignment():
            return "no partitions assigned"
        return self._standstill()

    def _standstill(self) -> str | None:
        now = time.monotonic()
        if self._failing is not None and now - self._failing[1] < _REMEMBERED_SECONDS:
            return self._failing[0]
        if self._in_hand_since is not None and now - self._in_hand_since >= STALLED_SECONDS:
            return f"a batch has been in hand for {now - self._in_hand_since:.0f} s"
        if self._in_hand_since is None and now - self._looked_at >= STALLED_SECONDS:
            return f"nothing was fetched for {now - self._looked_at:.0f} s"
        return f"stalled: {'; '.join(self._stalled[:3])}" if self._stalled else None

    def compare(self, ends: Mapping[TopicPartition, int]) -> None:
        """Compare fetched, applied and committed with the topics' ends; what stands still is logged and unready.

        A standstill that nobody has an excuse for is ended by a new consumer.
        """
        stalled = self._progress.compare(ends)
        for words in stalled:
            log.error("partition_stalled", where=words)
            self._count("stalled")
        self._stalled = stalled
        unheard = time.monotonic() - self._looked_at > 3 * STALLED_SECONDS
        if self._in_hand_since is None and (stalled or unheard):
            log.error("consumer_replaced", stalled=len(stalled), unheard=unheard)
            self.broken.set()

    def _refusal(self, consumer: AIOKafkaConsumer) -> str | None:
        """What the brokers do not let us read; they say it when they are asked for metadata, or for records."""
        closed = fetching.refused_topics(consumer)
        if closed:
            return not_allowed("read", closed)
        if self._refused is not None and time.monotonic() - self._refused[1] < _REMEMBERED_SECONDS:
            return self._refused[0]
        return None

    def _failed(self, error: Exception) -> None:
        """FastStream tries again after some seconds, and says nothing."""
        words = refusal(error)
        log.error("reading_failed", error=error, refused=words, applied=self._offsets())
        self._count("reading_failed")
        self._failing = (words or f"reading failed: {error_place(error)}", time.monotonic())
        if words is not None:
            self._refused = (words, time.monotonic())
        if isinstance(error, GroupAuthorizationFailedError):
            # aiokafka's heartbeat has ended with it and is never begun again.
            self.broken.set()

    def _offsets(self) -> dict[str, int]:
        return {f"{place.topic}[{place.partition}]": state.applied for place, state in self._progress.places.items()}

    # --- fetching -------------------------------------------------------------------------------------------------

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[Fetched, ...]:
        """Wait for records, each of which follows what was applied.

        A service that nobody waits for pauses between batches: larger batches leave the processor to those on the way.
        """
        self._looked_at = time.monotonic()
        if (early := self._ready_at - self._looked_at) > 0:
            await asyncio.sleep(early)
        try:
            records = await self._fetch(consumer)
        except ConsumerStoppedError:
            raise
        except IllegalStateError as error:
            log.info("reassigned_while_fetching", error=error)
            return ()
        except KafkaError as error:
            self._failed(error)
            raise
        except Exception as error:  # noqa: BLE001 - of any class: nothing has been skipped, and it is fetched again
            self._failed(error)
            await asyncio.sleep(_PAUSE_AFTER_ERROR)
            return ()
        self._ready_at = time.monotonic() + self._pause
        return records

    async def _fetch(self, consumer: AIOKafkaConsumer) -> tuple[Fetched, ...]:
        await self._set_back(consumer)
        assignment = self._assignment
        whole = len(self._progress.places) == len(consumer.assignment())
        wait = _IDLE_WAIT_MS if whole else _POSITION_WAIT_MS
        fetched = await consumer.getmany(timeout_ms=wait, max_records=self._subscriber.max_records)
        if not fetched:
            await self._commit_offsets(consumer)
        if fetching.assignment_of(consumer) is not assignment or not fetched.keys() <= self._progress.places.keys():
            # Reassigned meanwhile: begin where the group's committed offsets say, not after these records.
            for place, records in fetched.items():
                _seek(consumer, place, records[0].offset)
            return ()
        taken: list[Fetched] = []
        ends: dict[TopicPartition, int] = {}
        for place, records in fetched.items():
            for record in await self._following(consumer, place, records):
                taken.append(record)
                ends[place] = until(record)
        now = fetching.positions(consumer)
        for place, expected in self._progress.moved(now).items():
            if place not in fetched and now[place] > expected:
                for record in await self._gap(consumer, place, expected, now[place]):
                    taken.append(record)
                    ends[place] = until(record)
        self._progress.fetched(ends)
        return tuple(taken)

    async def _set_back(self, consumer: AIOKafkaConsumer) -> None:
        """Let every partition go on at its applied offset, whatever has happened since the last fetch."""
        assignment = fetching.assignment_of(consumer)
        if assignment is not self._assignment:
            self._assignment = assignment
            self._progress.forget()
            self._tries.clear()
        now = fetching.positions(consumer)
        for place in consumer.assignment() - self._progress.places.keys():
            # Nothing is fetched of a partition before it is known where it begins.
            if place in now:
                self._progress.begin({place: now[place]})
                consumer.resume(place)
            else:
                consumer.pause(place)
        for place, applied in self._progress.moved(now).items():
            if now[place] > applied:
                log.info("set_back", topic=place.topic, partition=place.partition, offset=applied, was=now[place])
            _seek(consumer, place, await self._readable(consumer, place, applied))

    async def _readable(self, consumer: AIOKafkaConsumer, place: TopicPartition, applied: int) -> int:
        """The applied offset, or where the topic begins or ends if it is not there any more; then it is loud."""
        begin: int = (await consumer.beginning_offsets([place]))[place]
        end: int = (await consumer.end_offsets([place]))[place]
        if begin <= applied <= end:
            return applied
        log.error("records_gone", topic=place.topic, partition=place.partition, applied=applied, begin=begin, end=end)
        self._count("records_gone")
        self._progress.begin({place: begin})
        return begin

    async def _following(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, records: Sequence[Fetched]
    ) -> Sequence[Fetched]:
        """The records that follow what was applied; what may be whole when it is fetched again is left to that."""
        if (gap := self._progress.gap(place, records)) is not None:
            before = [record for record in records if record.offset < gap]
            if before and before[0].offset == self._progress.places[place].applied:
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
                if record.repeatable and self._again(place, record.offset):
                    self._count("fetched_again")
                    _seek(consumer, place, record.offset)
                    return records[:index]
                self._count(record.reason)
        return records

    async def _gap(
        self, consumer: AIOKafkaConsumer, place: TopicPartition, expected: int, end: int
    ) -> Sequence[Fetched]:
        """Records up to `end` are missing. They are fetched again; in the end the gap is put aside like a record."""
        log.error("offsets_missing", topic=place.topic, partition=place.partition, offset=expected)
        self._count("offsets_missing")
        readable = await self._readable(consumer, place, expected)
        if readable != expected or self._again(place, expected):
            _seek(consumer, place, readable)
            return ()
        _seek(consumer, place, end)
        missing = BatchError("offsets_missing", "the broker has them, and aiokafka never hands them out")
        return [unreadable(place, expected, end, None, missing)]

    def _again(self, place: TopicPartition, offset: int) -> bool:
        """Whether this offset should be fetched once more."""
        tries = self._tries[place, offset] = self._tries.get((place, offset), 1) + 1
        return tries <= _FETCHES

    # --- committing -----------------------------------------------------------------------------------------------

    async def _commit(self, records: Sequence[Fetched]) -> None:
        """These records were applied or put aside: commit their offsets, and no others."""
        consumer = self.consumer
        if consumer is None or fetching.assignment_of(consumer) is not self._assignment:
            return  # reassigned meanwhile: read again, by whoever has them now, and known from the inbox
        self._progress.applied({TopicPartition(one.topic, one.partition): until(one) for one in records})
        await self._commit_offsets(consumer)

    async def _commit_offsets(self, consumer: AIOKafkaConsumer) -> None:
        """Commit what is applied and not committed yet; what fails is tried again with the next batch, or without."""
        offsets = self._progress.uncommitted()
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except (KafkaError, IllegalStateError) as error:
            log.warning("offsets_not_committed", error=error, partitions=len(offsets))
            self._count("offsets_not_committed")
        else:
            self._progress.committed(offsets)

    async def _parse(self, records: tuple[Fetched, ...]) -> KafkaMessage:
        # As if acknowledged: FastStream would commit every position, and set back only partitions of this batch.
        return KafkaMessage(
            body=b"", raw_message=records, consumer=FAKE_CONSUMER, batch_headers=[], headers={}, message_id=""
        )


class _Pausing(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is seen untyped
    """Lets nothing be fetched of newly assigned partitions until it is known where they begin."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Where reading goes on is what is committed."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if assigned and (consumer := self._subscription.consumer) is not None:
            consumer.pause(*assigned)


def _seek(consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> None:
    try:
        consumer.seek(place, offset)
    except IllegalStateError:
        return  # it is not ours any more


async def _raw(message: KafkaMessage) -> bytes:
    return message.body if isinstance(message.body, bytes) else b""
