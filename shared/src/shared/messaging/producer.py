"""The Kafka producer of a service: idempotent, with batches of its own, replaced when it is stuck."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar
from zlib import crc32

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, OutOfOrderSequenceNumber, ProducerFenced
from aiokafka.protocol.metadata import MetadataRequest

from shared.messaging.access import KafkaAccess
from shared.messaging.cloudevents import Headers
from shared.messaging.fetching import sender_has_ended
from shared.messaging.refusals import refusal
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: After these errors the idempotent producer does not recover (aiokafka issue 1017).
_STUCK = (OutOfOrderSequenceNumber, ProducerFenced)


class Keyed(Protocol):
    """A record for `send_all`."""

    @property
    def topic(self) -> str: ...

    @property
    def key(self) -> bytes: ...

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Headers: ...


R = TypeVar("R", bound=Keyed)


def _batches(producer: AIOKafkaProducer, records: Sequence[R]) -> Iterator[tuple[Any, list[R]]]:
    """Fill batches with records of one partition, in order."""
    part: list[R] = []
    batch = producer.create_batch()
    for record in records:
        fields = {"timestamp": None, "key": record.key, "value": record.value, "headers": record.headers}
        if batch.append(**fields) is None:
            yield batch, part
            batch, part = producer.create_batch(), []
            if batch.append(**fields) is None:
                raise MessageSizeTooLargeError(f"a record for {record.topic} has {len(record.value or b'')} bytes")
        part.append(record)
    yield batch, part


class Producer:
    """Sends keyed records; each send is acknowledged by all in-sync replicas.

    Brokers let only users with write access produce idempotently; `idempotent=False` is for services that only ping.
    """

    def __init__(
        self, kafka: KafkaAccess, *, prefix: str = "", client_id: str = "esim", idempotent: bool = True
    ) -> None:
        self._options = {
            **kafka.aiokafka(),
            "client_id": client_id,
            "acks": "all",
            "enable_idempotence": idempotent,
            "linger_ms": 0,
            "max_batch_size": 262144,
            "compression_type": "zstd",
        }
        self._prefix = prefix
        self._producer: AIOKafkaProducer | None = None
        self._refused: dict[str, str] = {}
        self._lock = asyncio.Lock()
        self._ended = False

    async def start(self) -> None:
        """Connect. Raises KafkaError when the broker does not answer."""
        self._ended = False
        await self._connected()

    async def _usable(self) -> AIOKafkaProducer:
        """The producer; another one where it was dropped, or where its sender has ended. Raises KafkaError.

        aiokafka's sender is one task, and an error that it does not expect ends it for good.
        """
        producer = self._producer
        if producer is not None and sender_has_ended(producer):
            log.warning("producer_replaced", reason="sender_ended")
            await self._close(producer)
        return self._producer or await self._connected()

    async def _connected(self) -> AIOKafkaProducer:
        """The producer, connected again where a stuck one was dropped. Raises KafkaError after `stop`."""
        async with self._lock:
            if self._ended:
                raise KafkaError("the producer was stopped")
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def stop(self) -> None:
        """Flush and close. A later call (a readiness check in progress) opens no new connection."""
        self._ended = True
        await self._close()

    async def _close(self, only: AIOKafkaProducer | None = None) -> None:
        """Close the producer; of several callers that found `only` broken, the first does."""
        async with self._lock:
            if only is not None and only is not self._producer:
                return
            producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> "asyncio.Future[Any]":
        """Hand a record over; the future resolves with its acknowledgement. Raises KafkaError."""
        producer = await self._usable()
        future: asyncio.Future[Any] = await producer.send(self._prefix + topic, value=value, key=key, headers=headers)
        return future

    async def send_all(self, records: Sequence[R]) -> list[tuple["asyncio.Future[Any]", list[R]]]:
        """Hand many keyed records over, a batch per partition; each future resolves when its batch is acknowledged.

        Costs a third of as many single sends. Raises KafkaError; records handed over before that may be sent.
        """
        producer = await self._usable()
        groups: dict[tuple[str, int], list[R]] = {}
        partitions: dict[str, int] = {}
        for record in records:
            topic = self._prefix + record.topic
            if topic not in partitions:
                partitions[topic] = await self._partitions(producer, topic)
            groups.setdefault((topic, crc32(record.key) % partitions[topic]), []).append(record)
        sent = []
        for (topic, partition), group in groups.items():
            for batch, part in _batches(producer, group):
                future = await producer.send_batch(batch, topic, partition=partition)
                future.add_done_callback(partial(self._settled, topic))
                sent.append((future, part))
        return sent

    async def _partitions(self, producer: AIOKafkaProducer, topic: str) -> int:
        try:
            return len(await producer.partitions_for(topic))
        except KafkaError as error:
            self._note(topic, error)
            raise

    def _settled(self, topic: str, future: "asyncio.Future[Any]") -> None:
        if not future.cancelled():
            self._note(topic, future.exception())

    def _note(self, topic: str, error: BaseException | None) -> None:
        """A refusal is reported until a record of that topic is accepted."""
        if error is None:
            self._refused.pop(topic, None)
        elif refused := refusal(error, "write"):
            if topic not in self._refused:
                log.error("writing_refused", topic=topic, refused=refused)
            self._refused[topic] = refused

    def refused(self) -> str | None:
        """What the brokers refuse to let us write, as far as it was tried; None where nothing is refused."""
        return next(iter(self._refused.values()), None)

    async def ping(self) -> None:
        """One round trip to any broker, which is asked for no topic. Raises KafkaError when none answers.

        aiokafka's `fetch_all_metadata` would bring all topics of the cluster with each readiness check.
        """
        client = (await self._usable()).client
        nodes = [broker.nodeId for broker in client.cluster.brokers()]
        error = KafkaError("no broker is known")
        for node in random.sample(nodes, len(nodes)):
            try:
                await client.send(node, MetadataRequest([]))
            except KafkaError as failed:
                error = failed
            else:
                return
        raise error

    async def failed(self, error: BaseException) -> None:
        """Report a failed send. A stuck producer is dropped, and the next send makes a new one."""
        if isinstance(error, _STUCK):
            log.warning("producer_replaced", error=error)
            await self._close()
