"""No bytes that a fetch may bring raise, none are left out, and what is readable among them is read."""

import inspect
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version

import cramjam
import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer import fetcher
from typing_extensions import Buffer

from shared.messaging import fetching
from shared.messaging.fetching import FetchedBytes, FetchedRecords
from shared.messaging.record_batches import MAX_UNPACKED, Fetched, NoRecord, UnreadableRecord, until
from shared.testing.record_batches import RawBatch, RawRecord, gzipped, varint

PLACE = TopicPartition("toy.things", 3)
GOOD = RawBatch((RawRecord(b"a", b"k", ((b"ce_id", b"1"), (b"x", None))), RawRecord(None), RawRecord(b"c")))
BAD_NAME = RawRecord(b"b", b"k", ((b"\xff\xfe", b"v"), (b"ce_id", b"\xff")))
#: The batch, what it becomes: the values that are read, and the reasons of what is not.
CASES: dict[str, tuple[RawBatch, list[bytes | None], list[str]]] = {
    "good": (GOOD, [b"a", None, b"c"], []),
    "header name not UTF-8": (RawBatch((*GOOD.records, BAD_NAME, RawRecord(b"z"))), [b"a", None, b"c", b"b", b"z"], []),
    "record shorter than its fields": (
        RawBatch((RawRecord(b"a"), RawRecord(body=b"\x00\x00\x02\x01" + varint(900)), RawRecord(b"c"))),
        [b"a", b"c"],
        ["invalid_record"],
    ),
    "bytes after the last field": (
        RawBatch((RawRecord(b"a"), RawRecord(body=b"\x00\x00\x02\x01\x01\x00junk"), RawRecord(b"c"))),
        [b"a", b"c"],
        ["invalid_record"],
    ),
    "negative number of headers": (
        RawBatch((RawRecord(b"a"), RawRecord(body=b"\x00\x00\x02\x01\x01\x01"))),
        [b"a"],
        ["invalid_record"],
    ),
    "endless number": (RawBatch((RawRecord(b"a"), RawRecord(body=b"\x00" + b"\xff" * 30))), [b"a"], ["invalid_record"]),
    "record longer than the batch": (
        RawBatch((RawRecord(b"a"), RawRecord(b"b", length=5000), RawRecord(b"c"))),
        [b"a"],
        ["invalid_batch"],
    ),
    "fewer records than said": (replace(GOOD, count=9, last_delta=8), [b"a", None, b"c"], ["invalid_batch"]),
    "offsets that repeat": (
        RawBatch((RawRecord(b"a"), RawRecord(b"b", offset_delta=0), RawRecord(b"c", offset_delta=700))),
        [b"a", b"b", b"c"],
        [],
    ),
    "unknown codec": (replace(GOOD, attributes=7), [], ["unknown_codec"]),
    "gzip": (gzipped(GOOD), [b"a", None, b"c"], []),
    "gzip that is none": (replace(GOOD, attributes=1), [], ["cannot_unpack"]),
    "snappy that is none": (replace(GOOD, attributes=2), [], ["cannot_unpack"]),
    "lz4 that is none": (replace(GOOD, attributes=3), [], ["cannot_unpack"]),
    "zstd that is none": (replace(GOOD, attributes=4), [], ["cannot_unpack"]),
    "wrong checksum": (replace(GOOD, crc=1), [], ["wrong_checksum"]),
    "control batch": (replace(GOOD, attributes=0x20), [], []),
    "format 3": (replace(GOOD, magic=3), [], ["unknown_format"]),
    "format 1": (replace(GOOD, magic=1), [], ["invalid_batch"]),
    "empty": (RawBatch((), count=0, last_delta=2), [], []),
}


def read(data: bytes, start: int = 0) -> list[Fetched]:
    return list(FetchedRecords(PLACE, FetchedBytes(data), None, start, None, None, check_crcs=True, isolation_level=0))


def follow(records: list[Fetched], start: int) -> int:
    """Every offset once, in order; returns the offset after the last one."""
    for record in records:
        assert record.offset == start
        assert until(record) > start
        start = until(record)
    return start


def values(records: list[Fetched]) -> list[bytes | None]:
    return [record.value for record in records if not isinstance(record, UnreadableRecord | NoRecord)]


def reasons(records: list[Fetched]) -> list[str]:
    return [record.reason for record in records if isinstance(record, UnreadableRecord)]


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_batch_is_read_or_put_aside_between_its_neighbours(name: str) -> None:
    batch, good, bad = CASES[name]
    size = (batch.last_delta if batch.last_delta is not None else len(batch.records) - 1) + 1
    after = 3 + size
    data = GOOD.encode() + batch.at(3).encode() + GOOD.at(after).encode()
    records: list[Fetched] = []
    position = 0
    while position < after + 3:  # as a broker answers the next fetch: from the batch that holds the offset
        begin = 0 if position < 3 else len(GOOD.encode()) if position < after else len(data) - len(GOOD.encode())
        found = read(data[begin:], position)
        position = follow(found, position)
        records += found
    assert position == after + 3
    assert values(records) == [*values(read(GOOD.encode())), *good, *values(read(GOOD.encode()))]
    assert reasons(records) == bad or name in {"format 1", "format 3"}
    assert set(reasons(records)) == set(bad)
    assert all(record.value for record in records if isinstance(record, UnreadableRecord))


@pytest.mark.parametrize("pack", [lz4_encode, snappy_encode, zstd_encode])
def test_every_codec_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    plain = b"".join(record.encode(index) for index, record in enumerate(GOOD.records))
    codec = {snappy_encode: 2, lz4_encode: 3, zstd_encode: 4}[pack]
    assert values(read(replace(GOOD, attributes=codec, packed=pack(plain)).encode())) == [b"a", None, b"c"]


def _gzip(data: bytes) -> bytes:
    return zlib.compress(data, wbits=31)


@pytest.mark.parametrize("codec", [1, 3, 4])
def test_what_would_unpack_without_end_is_not_unpacked(codec: int) -> None:
    packs: dict[int, Callable[[bytes], Buffer]] = {1: _gzip, 3: cramjam.lz4.compress, 4: cramjam.zstd.compress}
    bomb = bytes(packs[codec](bytes(2 * MAX_UNPACKED)))
    [record] = read(replace(GOOD, attributes=codec, packed=bomb).encode())
    assert (record.reason, until(record)) == ("cannot_unpack", 3)


def test_a_name_that_is_not_utf_8_is_read_leniently() -> None:
    [record] = read(RawBatch((BAD_NAME,)).encode())
    assert record.headers == (("\ufffd\ufffd", b"v"), ("ce_id", b"\xff"))
    assert (record.key, record.value) == (b"k", b"b")


def test_a_batch_that_is_cut_off_ends_what_was_fetched_unless_it_is_the_first() -> None:
    whole = GOOD.encode()
    assert values(read(whole + GOOD.at(3).encode()[:-4])) == [b"a", None, b"c"]
    [record] = read(whole[:-4])
    assert (record.reason, record.offset, until(record), record.repeatable) == ("truncated_batch", 0, 3, True)
    [record] = read(whole[:20], 7)
    assert (record.reason, record.offset, until(record)) == ("truncated_batch", 7, 8)


def test_a_wrong_length_does_not_swallow_the_next_batch() -> None:
    long = replace(GOOD, length=len(GOOD.encode()) + len(GOOD.encode()) - 12)
    found = read(long.encode() + GOOD.at(3).encode() + GOOD.at(6).encode())
    assert follow(found, 0) == 3, "the next fetch begins with the batch after it"
    assert reasons(found) == ["wrong_checksum"]


def test_reading_begins_in_the_middle_of_a_batch_and_passes_what_was_compacted_away() -> None:
    assert values(read(GOOD.encode(), 1)) == [None, b"c"]
    thinned = RawBatch((RawRecord(b"c", offset_delta=2),), last_delta=4)
    found = read(thinned.encode() + GOOD.at(9).encode())
    assert follow(found, 0) == 12
    assert [type(record) for record in found if not isinstance(record, NoRecord)] == [ConsumerRecord] * 4


def test_no_bytes_at_all_raise_or_leave_out_an_offset() -> None:
    randomness = random.Random(14)  # noqa: S311 - repeatable on purpose
    for _ in range(3000):
        batch, *_ = CASES[randomness.choice(list(CASES))]
        data = bytearray(GOOD.encode() + batch.at(3).encode())
        for _ in range(randomness.randrange(4)):
            data[randomness.randrange(len(data))] = randomness.randrange(256)
        found = read(bytes(data[: randomness.randrange(1, len(data) + 1)]))
        assert found or len(data) == 0
        follow(found, 0)


def test_the_version_whose_insides_are_replaced_is_the_one_that_was_read() -> None:
    assert version("aiokafka") == fetching.AIOKAFKA, "read fetcher.py again before this is changed"
    assert fetcher.MemoryRecords is FetchedBytes
    assert fetcher.PartitionRecords is FetchedRecords
    source = inspect.getsource(fetcher)
    assert source.count("MemoryRecords(part_data[-1])") == 1
    assert source.count("self._partition_records.next_fetch_offset") >= 2
    parameters = inspect.signature(fetcher.PartitionRecords.__init__).parameters
    called = source.partition("partition_records = PartitionRecords(")[2].partition(")")[0]
    assert called.count(",") == len(parameters) - 1
