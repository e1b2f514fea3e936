"""FastStream's batch subscriber, configured so that no record is lost between fetch and commit.

Acknowledgement is NACK_ON_ERROR on the broker itself, so no subscriber can inherit "at most once". The parser reads no
header and the decoder no body: one bad record must not fail the batch before our own code sees it. Records are fetched
and their offsets committed by the `BatchReader`.
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
from faststream.security import BaseSecurity, SASLScram256, SASLScram512

from shared.messaging import fetching
from shared.messaging.access import REQUEST_TIMEOUT_MS, KafkaAccess
from shared.messaging.batch_reader import BatchReader, Count
from shared.messaging.progress import STALLED_SECONDS, Progress
from shared.messaging.record_batches import Fetched
from shared.messaging.refusals import not_allowed, refusal
from shared.telemetry.logging import error_place, get_logger

log = get_logger(__name__)
Consume = Callable[[Sequence[Fetched]], Awaitable[None]]
#: Longer than the pauses of FastStream and aiokafka after a refusal: a refusal is reported until it stops repeating.
_REMEMBERED_SECONDS = 12.0
_PAUSE_AFTER_ERROR = 1.0


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
            kafka.servers,
            client_id=client_id,
            security=_security(kafka),
            ack_policy=AckPolicy.NACK_ON_ERROR,
            logger=None,
            graceful_timeout=15.0,
            metadata_max_age_ms=10_000,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        )
        subscriber = self._broker.subscriber(
            *topics,
            batch=True,
            group_id=group,
            auto_offset_reset="earliest",
            rebalance_timeout_ms=fetching.REBALANCE_TIMEOUT_MS,
            # After a kill -9 the group waits this long before it reassigns the partitions of the lost member.
            session_timeout_ms=round(session_seconds * 1000),
            heartbeat_interval_ms=round(session_seconds * 1000 / 3),
            max_records=max_records,
            batch_timeout_ms=10,
            parser=self._parse,
            decoder=_decode,
            listener=_PauseNewPartitions(self),
        )
        #: Set when the consumer cannot recover and a new one is needed.
        self.broken = asyncio.Event()
        self._subscriber: BatchSubscriber = subscriber
        self._consume = consume
        self._reader = BatchReader(max_records, count)
        self._count = count
        self._pause = pause_seconds
        self._next_fetch_at = 0.0
        self._batch_since: float | None = None
        self._fetched_at = time.monotonic()
        #: The last refusal of a broker, and the last failure to read, each with its time (monotonic).
        self._refused: tuple[str, float] | None = None
        self._failing: tuple[str, float] | None = None
        self._stalled: list[str] = []
        subscriber(self._handle)
        # FastStream sleeps after an empty poll, and a record that arrives meanwhile waits too.
        subscriber.get_msg = self._next_batch  # type: ignore[method-assign] # an instance's own

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """Aiokafka's consumer; None while not connected."""
        return self._subscriber.consumer

    @property
    def progress(self) -> Progress:
        """What was fetched, applied and committed."""
        return self._reader.progress

    async def start(self) -> None:
        """Connect and begin to consume. Raises KafkaError when the broker does not answer."""
        self._fetched_at = time.monotonic()
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the batch in progress, commit its offsets and leave the group."""
        consumer = self.consumer
        await self._broker.stop()
        if consumer is not None:
            await fetching.hang_up(consumer)

    # --- batches --------------------------------------------------------------------------------------------------

    async def _next_batch(self, consumer: AIOKafkaConsumer) -> tuple[Fetched, ...]:
        """Fetch the next batch; called by FastStream.

        With `pause_seconds` the service rests between batches: larger batches leave processor time to services that
        buyers wait for.
        """
        self._fetched_at = time.monotonic()
        if (early := self._next_fetch_at - self._fetched_at) > 0:
            await asyncio.sleep(early)
        try:
            records = await self._reader.fetch(consumer)
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
        self._next_fetch_at = time.monotonic() + self._pause
        return records

    async def _handle(self, message: InjectedMessage) -> None:
        records = message.raw_message
        batch = records if isinstance(records, tuple) else (records,)
        self._batch_since = time.monotonic()
        try:
            await self._consume(batch)
            # Here only: when a batch ends in any other way, its offsets are not committed.
            if (consumer := self.consumer) is not None:
                await self._reader.commit(consumer, batch)
        finally:
            self._batch_since = None

    async def _parse(self, records: tuple[Fetched, ...]) -> KafkaMessage:
        # As if acknowledged: FastStream would commit every position, and set back only partitions of this batch.
        return KafkaMessage(
            body=b"", raw_message=records, consumer=FAKE_CONSUMER, batch_headers=[], headers={}, message_id=""
        )

    def _failed(self, error: Exception) -> None:
        """Report a failed fetch. FastStream repeats it after some seconds, and logs nothing."""
        refused = refusal(error)
        applied = {f"{place.topic}[{place.partition}]": state.applied for place, state in self.progress.places.items()}
        log.error("reading_failed", error=error, refused=refused, applied=applied)
        self._count("reading_failed")
        self._failing = (refused or f"reading failed: {error_place(error)}", time.monotonic())
        if refused is not None:
            self._refused = (refused, time.monotonic())
        if isinstance(error, GroupAuthorizationFailedError):
            # aiokafka's heartbeat has ended with it and does not begin again.
            self.broken.set()

    # --- health ---------------------------------------------------------------------------------------------------

    def problem(self) -> str | None:
        """Why this subscription does not work, or None."""
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
        if self._batch_since is not None and now - self._batch_since >= STALLED_SECONDS:
            return f"a batch has been in hand for {now - self._batch_since:.0f} s"
        if self._batch_since is None and now - self._fetched_at >= STALLED_SECONDS:
            return f"nothing was fetched for {now - self._fetched_at:.0f} s"
        return f"stalled: {'; '.join(self._stalled[:3])}" if self._stalled else None

    def compare(self, ends: Mapping[TopicPartition, int]) -> None:
        """Compare fetched, applied and committed offsets with the topics' ends; a standstill is logged and unready.

        A standstill without a batch in progress is ended by a new consumer.
        """
        stalled = self.progress.compare(ends)
        for where in stalled:
            log.error("partition_stalled", where=where)
            self._count("stalled")
        self._stalled = stalled
        silent = time.monotonic() - self._fetched_at > 3 * STALLED_SECONDS
        if self._batch_since is None and (stalled or silent):
            log.error("consumer_replaced", stalled=len(stalled), silent=silent)
            self.broken.set()

    def _refusal(self, consumer: AIOKafkaConsumer) -> str | None:
        """What the brokers do not let us read; they report it in metadata, or when records are fetched."""
        if closed := fetching.refused_topics(consumer):
            return not_allowed("read", closed)
        if self._refused is not None and time.monotonic() - self._refused[1] < _REMEMBERED_SECONDS:
            return self._refused[0]
        return None


class _PauseNewPartitions(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is seen untyped
    """Fetches nothing of newly assigned partitions until their first position is there."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Nothing to do: the next consumer begins at the committed offsets."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Pause them."""
        if assigned and (consumer := self._subscription.consumer) is not None:
            consumer.pause(*assigned)


async def _decode(message: KafkaMessage) -> bytes:
    return message.body if isinstance(message.body, bytes) else b""


def _security(kafka: KafkaAccess) -> BaseSecurity | None:
    """Credentials as FastStream takes them. Raises OSError when the authorities' file cannot be read."""
    context = kafka.ssl_context() if kafka.tls else None
    if kafka.username:
        scram = SASLScram512 if kafka.mechanism == "SCRAM-SHA-512" else SASLScram256
        return scram(kafka.username, kafka.password, context)
    return BaseSecurity(context) if kafka.tls else None
