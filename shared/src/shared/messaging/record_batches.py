"""Parses fetched record batches (Kafka message format 2) without raising, whatever their bytes are.

A record whose header name is not UTF-8 is read like any other: undecodable bytes become U+FFFD. A record that cannot
be parsed becomes an `UnreadableRecord` with its bytes, offset and reason, and the records around it are read. Where a
whole batch cannot be parsed (wrong checksum, unknown codec, truncated), its offset range becomes one such record.

Format: https://kafka.apache.org/documentation/#recordbatch and #record. aiokafka's compiled parser reads well-formed
batches; the parser here reads a batch that the compiled one refused.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import cramjam
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.codec import snappy_decode
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import calc_crc32c

_HEADER = struct.Struct(">qiibIhiqqqhii")
_LENGTH_AT, _OVERHEAD, _MAGIC_AT, _CRC_FROM, _ATTRIBUTES_AT = 8, 12, 16, 21, 21
_FORMAT = 2
_CODEC, _LOG_APPEND_TIME, _CONTROL = 0x07, 0x08, 0x20
_GZIP, _SNAPPY, _LZ4, _ZSTD = 1, 2, 3, 4
#: A batch has at most a megabyte on the topic (`max.message.bytes`); it is not unpacked to more than this.
MAX_UNPACKED = 32 * 1024 * 1024
_FIRST_GUESS = 256 * 1024
#: No producer packs more records into one batch; a header with a larger number is not trusted.
_MAX_RECORDS = 2**24


@dataclass
class UnreadableRecord(ConsumerRecord):  # type: ignore[misc] # aiokafka is seen untyped
    """Offsets from `offset` up to, not including, `until` that could not be parsed. `value` holds their bytes.

    `reason` is a stable word, `detail` a sentence without any byte of the record. `repeatable`: the same bytes may be
    fine when they are fetched again (a checksum that does not match).
    """

    reason: str
    detail: str
    until: int
    repeatable: bool


@dataclass
class NoRecord(ConsumerRecord):  # type: ignore[misc] # as above
    """Offsets from `offset` up to, not including, `until` that hold no record: compacted away, or a control batch."""

    until: int


Fetched: TypeAlias = ConsumerRecord


class BatchError(Exception):
    """A batch, or the rest of one, that cannot be parsed."""

    def __init__(self, reason: str, detail: str, *, repeatable: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.repeatable = repeatable


def until(record: Fetched) -> int:
    """The offset after this record, or after the range that it stands for."""
    return record.until if isinstance(record, UnreadableRecord | NoRecord) else record.offset + 1


def ends(records: Iterable[Fetched]) -> dict[TopicPartition, int]:
    """The offset after the last of these records, by partition. Those of a partition are in order."""
    last = {(record.topic, record.partition): record for record in records}
    return {TopicPartition(*place): until(record) for place, record in last.items()}


def is_complete(data: bytes | memoryview, position: int) -> bool:
    """Whether a whole batch begins at this position."""
    if len(data) - position < _OVERHEAD:
        return False
    [length] = struct.unpack_from(">i", data, position + _LENGTH_AT)
    return bool(length >= 0 and position + _OVERHEAD + length <= len(data))


def read_batch(place: TopicPartition, data: memoryview, start: int) -> Iterator[Fetched]:
    """Every record of one batch from offset `start` on, in order and without a gap; what came before is left out.

    `data` is the batch alone, from its base offset to its end, or whatever is there of it.
    """
    end = _end(data, start)
    position = start
    try:
        for record in _records(place, data):
            after = until(record)
            if after <= position:
                continue
            if record.offset > position:
                yield _nothing(place, position, record.offset)
            yield record
            position = after
    except BatchError as error:
        end = max(end, position + 1)
        yield unreadable(place, position, end, bytes(data), error)
        position = end
    if position < end:
        yield _nothing(place, position, end)


def unreadable(place: TopicPartition, start: int, end: int, data: bytes | None, error: BatchError) -> UnreadableRecord:
    """A range of offsets that cannot be parsed."""
    return UnreadableRecord(
        *_bare(place, start, data),
        reason=error.reason,
        detail=error.detail if end == start + 1 else f"{error.detail}; offsets {start} to {end - 1}",
        until=end,
        repeatable=error.repeatable,
    )


def _nothing(place: TopicPartition, start: int, end: int) -> NoRecord:
    return NoRecord(*_bare(place, start, None), until=end)


def _bare(place: TopicPartition, offset: int, value: bytes | None) -> tuple[Any, ...]:
    return place.topic, place.partition, offset, 0, 0, None, value, None, -1, len(value or b""), ()


def _end(data: memoryview, start: int) -> int:
    """The offset after the batch, as far as its header can be trusted; at least one after `start`."""
    if len(data) < _HEADER.size or data[_MAGIC_AT] != _FORMAT:
        return start + 1
    base, *_, last_delta, _first, _max, _producer, _epoch, _sequence, _count = _HEADER.unpack_from(data)
    if base <= start + _MAX_RECORDS and 0 <= last_delta < _MAX_RECORDS:
        return max(start + 1, int(base + last_delta + 1))
    return start + 1


def _records(place: TopicPartition, data: memoryview) -> Iterator[Fetched]:
    if len(data) <= _MAGIC_AT:
        raise BatchError("truncated_batch", f"{len(data)} bytes are no batch", repeatable=True)
    if data[_MAGIC_AT] < _FORMAT:
        yield from _old_format(place, data)
        return
    if len(data) < _HEADER.size or not is_complete(data, 0):
        raise BatchError("truncated_batch", f"{len(data)} bytes, less than the batch's header says", repeatable=True)
    if data[_MAGIC_AT] > _FORMAT:
        raise BatchError("unknown_format", f"message format {data[_MAGIC_AT]}")
    header = _HEADER.unpack_from(data)
    if calc_crc32c(bytes(data[_CRC_FROM:])) != header[4]:
        raise BatchError("wrong_checksum", "the batch's CRC-32C does not match its bytes", repeatable=True)
    attributes = header[5]
    if attributes & _CONTROL:
        return
    packed = data[_HEADER.size :]
    body = unpack(attributes & _CODEC, packed)
    plain = bytearray(data[: _HEADER.size])
    struct.pack_into(">h", plain, _ATTRIBUTES_AT, attributes & ~_CODEC)
    parsed = _compiled(place, bytes(plain) + body, header)
    yield from parsed if parsed is not None else _one_by_one(place, memoryview(body), header)


def _compiled(place: TopicPartition, batch: bytes, header: tuple[Any, ...]) -> list[Fetched] | None:
    """All records by aiokafka's parser; None where it raises, or numbers them out of order."""
    try:
        records = [_record(place, record) for record in DefaultRecordBatch(batch)]
    except Exception:  # noqa: BLE001 - the records are read one by one then, and each has its own reason
        return None
    last = header[0] - 1
    for record in records:
        if record.offset <= last:
            return None
        last = record.offset
    return records if last <= header[0] + header[6] else None


def _record(place: TopicPartition, record: Any) -> Fetched:
    key, value = record.key, record.value
    return ConsumerRecord(
        place.topic,
        place.partition,
        record.offset,
        record.timestamp,
        record.timestamp_type,
        key,
        value,
        record.checksum,
        -1 if key is None else len(key),
        -1 if value is None else len(value),
        tuple(record.headers),
    )


def _old_format(place: TopicPartition, data: memoryview) -> Iterator[Fetched]:
    """Formats 0 and 1, which no broker since Kafka 4.0 writes."""
    try:
        batch = LegacyRecordBatch(bytes(data), data[_MAGIC_AT])
        if not batch.validate_crc():
            raise BatchError("wrong_checksum", "the message's CRC-32 does not match its bytes", repeatable=True)  # noqa: TRY301 - one way out for both
        records = [_record(place, record) for record in batch]
    except BatchError:
        raise
    except Exception as error:
        raise BatchError("invalid_batch", f"message format {data[_MAGIC_AT]}: {type(error).__name__}") from error
    yield from records


def unpack(codec: int, packed: bytes | memoryview) -> bytes:
    """The records of a batch, unpacked, at most MAX_UNPACKED bytes. Raises BatchError."""
    try:
        if codec == 0:
            return bytes(packed)
        if codec == _GZIP:
            inflater = zlib.decompressobj(wbits=31)
            unpacked = inflater.decompress(packed, MAX_UNPACKED)
            if not inflater.eof:
                raise BatchError("cannot_unpack", f"gzip: cut off, or larger than {MAX_UNPACKED} bytes")  # noqa: TRY301 - as above
            return unpacked
        if codec == _SNAPPY:  # grows 21-fold at most
            return bytes(snappy_decode(bytes(packed)))
        if codec in (_LZ4, _ZSTD):
            return _unpack_into(cramjam.lz4 if codec == _LZ4 else cramjam.zstd, packed)
    except BatchError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise BatchError("cannot_unpack", f"codec {codec}: {type(error).__name__}") from error
    raise BatchError("unknown_codec", f"compression codec {codec}")


def _unpack_into(codec: Any, packed: bytes | memoryview) -> bytes:
    source = bytes(packed)
    room = min(MAX_UNPACKED, max(_FIRST_GUESS, 16 * len(source)))
    try:
        return _unpacked(codec, source, room)
    except cramjam.DecompressionError:
        if room == MAX_UNPACKED:
            raise
        return _unpacked(codec, source, MAX_UNPACKED)


def _unpacked(codec: Any, source: bytes, room: int) -> bytes:
    target = bytearray(room)
    return bytes(memoryview(target)[: codec.decompress_into(source, target)])


def _one_by_one(place: TopicPartition, body: memoryview, header: tuple[Any, ...]) -> Iterator[Fetched]:
    """Records by their own lengths. Raises BatchError where the rest cannot be separated."""
    base, last_delta, count = header[0], header[6], header[12]
    #: A batch that was not compacted numbers its records without gaps, whatever numbers they carry.
    dense = count == last_delta + 1
    position, last = 0, base - 1
    for index in range(count):
        try:
            length, begin = _varint(body, position)
        except IndexError:
            raise BatchError("invalid_batch", f"ends before record {index} of {count}") from None
        if not 0 < length <= len(body) - begin:
            raise BatchError("invalid_batch", f"record {index} of {count} says that it has {length} bytes")
        position = begin + length
        frame = body[begin:position]
        offset = base + index if dense else last + 1
        try:
            record = _parse(place, frame, header, offset if dense else None)
            if not last < record.offset <= base + last_delta:
                raise BatchError("invalid_record", "its offset is outside its batch, or not after the last one")  # noqa: TRY301 - as above
        except BatchError as error:
            record = unreadable(place, offset, offset + 1, bytes(frame), error)
        last = record.offset
        yield record
    if position != len(body):
        raise BatchError("invalid_batch", f"{len(body) - position} bytes after the last record")


def _parse(place: TopicPartition, frame: memoryview, header: tuple[Any, ...], offset: int | None) -> Fetched:
    """One record from its bytes, header names read leniently. Raises BatchError."""
    try:
        delta, position = _varint(frame, 1)
        number, position = _varint(frame, position)
        key, position = _bytes(frame, position)
        value, position = _bytes(frame, position)
        count, position = _varint(frame, position)
        if not 0 <= count <= len(frame):
            raise BatchError("invalid_record", f"says that it has {count} headers")
        headers = []
        for _ in range(count):
            name, position = _bytes(frame, position)
            content, position = _bytes(frame, position)
            headers.append(((name or b"").decode("utf-8", "replace"), content))
    except IndexError:
        raise BatchError("invalid_record", "a field ends after the record does") from None
    if position != len(frame):
        raise BatchError("invalid_record", f"{len(frame) - position} bytes after its last field")
    appended = header[5] & _LOG_APPEND_TIME
    return ConsumerRecord(
        place.topic,
        place.partition,
        header[0] + number if offset is None else offset,
        header[8] if appended else header[7] + delta,
        int(bool(appended)),
        key,
        value,
        None,
        -1 if key is None else len(key),
        -1 if value is None else len(value),
        tuple(headers),
    )


def _bytes(data: memoryview, position: int) -> tuple[bytes | None, int]:
    """A field with its length before it; None where the length is negative. Raises IndexError."""
    length, position = _varint(data, position)
    if length < 0:
        return None, position
    if position + length > len(data):
        raise IndexError(position)
    return bytes(data[position : position + length]), position + length


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    """A zigzag varint of at most ten bytes, and the position after it. Raises IndexError and BatchError."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return (value >> 1) ^ -(value & 1), position
    raise BatchError("invalid_record", "a number is longer than ten bytes")
