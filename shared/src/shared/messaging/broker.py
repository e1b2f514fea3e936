"""FastStream's batch subscriber, set up so that nothing can be lost.

Acknowledgement is NACK_ON_ERROR on the broker itself, so no subscriber can inherit "at most once". The parser looks at
no header and the decoder at no body: one bad record must not spoil the batch before our own code sees it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.annotations import KafkaMessage as InjectedMessage
from faststream.kafka.message import KafkaAckableMessage, KafkaMessage
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.messaging.access import KafkaAccess
from shared.messaging.refusals import not_allowed, refusal
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
Consume = Callable[[Sequence[ConsumerRecord]], Awaitable[None]]
_IDLE_WAIT_MS = 1000
#: Longer than FastStream's and aiokafka's pauses after a refusal: it stands until it is not repeated.
_REMEMBERED_SECONDS = 12.0


class Subscription:
    """A service's one consumer: all its topics, one batch, one transaction."""

    def __init__(
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
        )

        async def handle(message: InjectedMessage) -> None:
            records = message.raw_message
            await consume(records if isinstance(records, tuple) else (records,))

        subscriber(handle)
        self._subscriber: BatchSubscriber = subscriber
        #: Set when the consumer will not get over it by itself and a new one is needed.
        self.broken = asyncio.Event()
        self._refused: tuple[str, float] | None = None
        patient = _wait_for_batch(self._subscriber, pause_seconds, self._failed)
        self._subscriber.get_msg = patient  # type: ignore[method-assign, assignment] # see there

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        return self._subscriber.consumer

    async def start(self) -> None:
        """Connect and begin to consume. Raises KafkaError when the broker does not answer."""
        await self._broker.start()

    async def stop(self) -> None:
        """Finish the batch in hand, commit its offsets and leave the group."""
        consumer = self.consumer
        await self._broker.stop()
        if consumer is not None:
            await _hang_up(consumer)

    def problem(self) -> str | None:
        """Why this subscription is not at work, or None."""
        consumer = self.consumer
        if consumer is None:
            return "not connected to Kafka"
        if refused := self._refusal(consumer):
            return refused
        if not any(not task.done() for task in self._subscriber.tasks):
            return "the consuming task has ended"
        if not consumer.assignment():
            return "no partitions assigned"
        return None

    def _refusal(self, consumer: AIOKafkaConsumer) -> str | None:
        """What the brokers do not let us read; they say it when they are asked for metadata, or for records."""
        closed = consumer._client.cluster.unauthorized_topics  # noqa: SLF001 - told nowhere else
        if closed:
            return not_allowed("read", closed)
        if self._refused is not None and time.monotonic() - self._refused[1] < _REMEMBERED_SECONDS:
            return self._refused[0]
        return None

    def _failed(self, error: KafkaError) -> None:
        """FastStream tries again after some seconds, and says nothing."""
        words = refusal(error)
        log.error("reading_failed", error=error, refused=words)
        if words is not None:
            self._refused = (words, time.monotonic())
        if isinstance(error, GroupAuthorizationFailedError):
            # aiokafka's heartbeat has ended with it and is never begun again.
            self.broken.set()

    async def _parse(self, records: tuple[ConsumerRecord, ...]) -> KafkaMessage:
        return KafkaAckableMessage(
            body=b"", raw_message=records, consumer=self.consumer, batch_headers=[], headers={}, message_id=""
        )


async def _hang_up(consumer: AIOKafkaConsumer) -> None:
    """Do what aiokafka leaves undone: its stop ends with the first request of the fetcher that it cancels."""
    requests = tuple(consumer._fetcher._pending_tasks) if consumer._fetcher else ()  # noqa: SLF001 - closed nowhere else
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    await consumer._client.close()  # noqa: SLF001 - as above


async def _raw(message: KafkaMessage) -> bytes:
    return message.body if isinstance(message.body, bytes) else b""


def _wait_for_batch(
    subscriber: BatchSubscriber, pause: float, failed: Callable[[KafkaError], None]
) -> Callable[[AIOKafkaConsumer], Coroutine[Any, Any, tuple[ConsumerRecord, ...]]]:
    """Wait for records. FastStream sleeps after an empty poll, and a record that comes meanwhile waits too.

    A service that nobody waits for pauses between batches: larger batches leave the processor to those on the way.
    """
    ready_at = 0.0

    async def get_msg(consumer: AIOKafkaConsumer) -> tuple[ConsumerRecord, ...]:
        nonlocal ready_at
        if (early := ready_at - time.monotonic()) > 0:
            await asyncio.sleep(early)
        try:
            found = await consumer.getmany(timeout_ms=_IDLE_WAIT_MS, max_records=subscriber.max_records)
        except KafkaError as error:
            failed(error)
            raise
        ready_at = time.monotonic() + pause
        return tuple(record for records in found.values() for record in records)

    return get_msg
