"""Topics in this process's memory, as the record batches that a broker would keep: for `bench.costs`.

A service writes them through its own producer, with the same batches and compression, and reads them through the parser
of its own consumer. Only the sockets between are missing.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiokafka import TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import RecordMetadata

from shared.messaging.access import KafkaAccess
from shared.messaging.cloudevents import Headers
from shared.messaging.producer import Producer
from shared.messaging.record_batches import Fetched, read_batch

_PARTITIONS = 6


@dataclass(slots=True)
class Record:
    """A record that is ready to be sent."""

    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


class RecordLog:
    """Batches by partition. `size` counts the bytes that were written."""

    def __init__(self) -> None:
        self._batches: dict[TopicPartition, list[bytes]] = {}
        self._read: Counter[tuple[str, TopicPartition]] = Counter()
        self.size = 0

    def append(self, place: TopicPartition, batch: bytes) -> None:
        """Add a batch at the end of a partition."""
        self._batches.setdefault(place, []).append(batch)
        self.size += len(batch)

    def fetch(self, reader: str, topic: str) -> list[Fetched]:
        """Parse what this reader has not read yet of a topic. Offsets begin at 0 in each batch."""
        records: list[Fetched] = []
        for place, batches in self._batches.items():
            if place.topic == topic:
                for batch in batches[self._read[reader, place] :]:
                    records += read_batch(place, memoryview(batch), 0)
                self._read[reader, place] = len(batches)
        return records


class LoggedProducer(Producer):
    """A service's producer whose batches end in a record log. Everything is acknowledged at once."""

    def __init__(self, log: RecordLog) -> None:
        super().__init__(KafkaAccess("127.0.0.1:1"))
        self._writer = _Writer(log, self._options)

    async def _connected(self) -> Any:
        return self._writer

    async def stop(self) -> None:
        """Nothing is connected."""


class _Writer:
    """What `Producer` uses of aiokafka's producer."""

    def __init__(self, log: RecordLog, options: dict[str, Any]) -> None:
        self._log = log
        self.create_batch = partial(BatchBuilder, options["max_batch_size"], DefaultRecordBatch.CODEC_ZSTD)

    async def partitions_for(self, _topic: str) -> range:
        return range(_PARTITIONS)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> "asyncio.Future[RecordMetadata]":
        place = TopicPartition(topic, partition)
        self._log.append(place, bytes(batch._build()))  # noqa: SLF001 - as its sender does, which needs a broker
        future: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        future.set_result(RecordMetadata(topic, partition, place, 0, None, 0, 0))
        return future
