"""Encodes record batches for tests, also batches that no client would send.

Format: https://kafka.apache.org/documentation/#recordbatch. `produce_raw` sends the bytes as they are.
"""

import asyncio
import gzip
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c

from shared.messaging.access import KafkaAccess

RawHeaders = Sequence[tuple[bytes, bytes | None]]


def varint(value: int) -> bytes:
    """A zigzag varint."""
    number = (value << 1) ^ (value >> 63)
    found = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def sized(value: bytes | None) -> bytes:
    """A length and the bytes; null has the length -1."""
    return varint(-1) if value is None else varint(len(value)) + value


@dataclass(frozen=True)
class RawRecord:
    """One record. `body` replaces everything after its length; `length` replaces the true one."""

    value: bytes | None = b""
    key: bytes | None = None
    headers: RawHeaders = ()
    offset_delta: int | None = None
    body: bytes | None = None
    length: int | None = None

    def encode(self, index: int) -> bytes:
        """The bytes of the record at this place in its batch."""
        delta = index if self.offset_delta is None else self.offset_delta
        body = self.body
        if body is None:
            headers = b"".join(sized(name) + sized(value) for name, value in self.headers)
            numbers = b"\x00" + varint(0) + varint(delta)
            body = numbers + sized(self.key) + sized(self.value) + varint(len(self.headers)) + headers
        return varint(len(body) if self.length is None else self.length) + body


@dataclass(frozen=True)
class RawBatch:
    """A batch of format 2. Fields that are None are computed."""

    records: tuple[RawRecord, ...]
    base_offset: int = 0
    attributes: int = 0
    magic: int = 2
    timestamp: int = field(default_factory=lambda: round(time.time() * 1000))
    count: int | None = None
    last_delta: int | None = None
    crc: int | None = None
    length: int | None = None
    packed: bytes | None = None

    def encode(self) -> bytes:
        """The bytes."""
        records = b"".join(record.encode(index) for index, record in enumerate(self.records))
        count = len(self.records) if self.count is None else self.count
        last = len(self.records) - 1 if self.last_delta is None else self.last_delta
        tail = struct.pack(">hiqqqhii", self.attributes, last, self.timestamp, self.timestamp, -1, -1, -1, count)
        tail += records if self.packed is None else self.packed
        crc = calc_crc32c(tail) if self.crc is None else self.crc
        length = len(tail) + 9 if self.length is None else self.length
        return struct.pack(">qiibI", self.base_offset, length, 0, self.magic, crc) + tail

    def at(self, offset: int) -> "RawBatch":
        """The same batch at another offset."""
        return replace(self, base_offset=offset)


def gzipped(batch: RawBatch) -> RawBatch:
    """The same batch, compressed."""
    records = b"".join(record.encode(index) for index, record in enumerate(batch.records))
    return replace(batch, attributes=batch.attributes | 1, packed=gzip.compress(records, mtime=0))


async def produce_raw(kafka: KafkaAccess, place: TopicPartition, data: bytes) -> int:
    """Send bytes as one partition's record set; returns the broker's error code (0: accepted)."""
    producer = AIOKafkaProducer(**kafka.aiokafka())
    await producer.start()
    try:
        client = producer.client
        async with asyncio.timeout(30):
            await client._wait_on_metadata(place.topic)  # noqa: SLF001 - a raw request needs the leader
        leader = client.cluster.leader_for_partition(place)
        request = ProduceRequest(
            transactional_id=None, required_acks=-1, timeout=10_000, topics=[(place.topic, [(place.partition, data)])]
        )
        response = await client.send(leader, request)
        return int(response.topics[0][1][0][1])
    finally:
        await producer.stop()
