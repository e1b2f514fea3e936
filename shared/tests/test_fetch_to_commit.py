"""Whatever is raised between fetch and commit: nothing is lost, it is loud, the one record is put aside and passed."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts import OrderPaid
from shared.database import Outgoing
from shared.kernel.service import Service
from shared.messaging.cloudevents import header_texts
from shared.messaging.progress import Progress
from shared.messaging.reading import GroupReading
from shared.messaging.record_batches import MAX_UNPACKED, Fetched
from shared.messaging.subscription import Subscription
from shared.testing.documents import Row
from shared.testing.facts import paid
from shared.testing.record_batches import RawBatch, RawRecord, gzipped, produce_raw, varint
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

NAME = "shared.testing.toy"

#: Counts offsets from 0, and writes times that no broker should keep for the next test.
pytestmark = pytest.mark.new_topics


def good(stage: Stage, *strange: tuple[bytes, bytes | None]) -> RawRecord:
    """A paid order as its owner writes it, with more headers."""
    outgoing = Outgoing(paid(), None)
    texts = header_texts(outgoing, outgoing.event.paid_at)  # type: ignore[union-attr] # it is an OrderPaid
    headers = [(name.encode(), text.encode()) for name, text in texts.items()]
    return RawRecord(outgoing.body, outgoing.event.key().encode(), (*headers, *strange))


async def applied(service: Service) -> int:
    async with service.database.reading() as tx:
        return int((await tx.execute("SELECT count(*) FROM seen WHERE handled > 0")).scalar())


async def handled_twice(service: Service) -> int:
    async with service.database.reading() as tx:
        return int((await tx.execute("SELECT count(*) FROM seen WHERE handled > 1")).scalar())


async def put_aside(service: Service) -> list[Row]:
    async with service.database.reading() as tx:
        return (await tx.execute("SELECT partition, record_offset, reason, payload FROM dead_letters")).all()


async def all_committed(stage: Stage) -> bool:
    reading = GroupReading(stage.kafka, f"{stage.prefix}{NAME}", [stage.prefix + OrderPaid.topic])
    return await reading.caught_up()


async def test_raw_batches_amid_good_records_of_other_partitions(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    topic = stage.prefix + OrderPaid.topic
    lenient = good(stage, (b"\xff\xfe", b"note"), (b"\xc3(", None))
    batches = [
        RawBatch((good(stage), lenient, good(stage))),
        gzipped(RawBatch((good(stage), RawRecord(b"junk", headers=((b"\xff", b"\xff"),)), good(stage)))),
        RawBatch((good(stage), RawRecord(b"junk"))),
        RawBatch((RawRecord(None, offset_delta=0),), timestamp=-(2**62)),
        RawBatch((good(stage),)),
    ]
    tried = [
        RawBatch((good(stage), RawRecord(body=b"\x00\x00\x02\x01" + varint(900)), good(stage))),
        RawBatch((good(stage),), attributes=0x20),
        RawBatch((good(stage),), crc=1),
        RawBatch((good(stage),), attributes=7),
    ]
    wanted, junk = 7, 3
    for batch in batches:
        # The same order twice, on both partitions, counts once.
        assert await produce_raw(stage.kafka, TopicPartition(topic, 0), batch.encode()) == 0
        await stage.publish(*(paid() for _ in range(5)))
        wanted += 5
    for batch in tried:
        code = await produce_raw(stage.kafka, TopicPartition(topic, 1), batch.encode())
        if code == 0:
            wanted += len(batch.records) - 1
        await stage.publish(paid())
        wanted += 1

    async def done() -> bool:
        return await applied(service) >= wanted and len(await put_aside(service)) >= junk

    await stage.eventually(done)
    assert (await applied(service), await handled_twice(service)) == (wanted, 0)
    letters = await put_aside(service)
    assert {letter.reason for letter in letters} <= {"not_a_cloudevent", "invalid_record"}
    assert b"junk" in {letter.payload for letter in letters}
    await stage.eventually(lambda: all_committed(stage))


async def test_a_gzip_bomb_on_the_topic_is_put_aside_between_its_neighbours(stage: Stage) -> None:
    """The broker takes it: 100 KB on the topic, 100 MB unpacked."""
    service = await stage.service(toy.build, Settings)
    place = TopicPartition(stage.prefix + OrderPaid.topic, 0)
    bomb = gzipped(RawBatch((RawRecord(bytes(3 * MAX_UNPACKED)),))).encode()
    assert len(bomb) < MAX_UNPACKED / 100
    for data in (RawBatch((good(stage),)).encode(), bomb, RawBatch((good(stage),)).encode()):
        assert await produce_raw(stage.kafka, place, data) == 0
    await stage.publish(*(paid() for _ in range(5)))

    async def done() -> bool:
        return await applied(service) == 7 and len(await put_aside(service)) == 1

    await stage.eventually(done)
    [letter] = await put_aside(service)
    assert (letter.partition, letter.record_offset, letter.reason) == (0, 1, "cannot_unpack")
    await stage.eventually(lambda: all_committed(stage))


class StrangeError(Exception):
    """Of no class that anybody catches by name."""


@pytest.mark.parametrize("error", [StrangeError, UnicodeError, AssertionError, RecursionError, KeyError])
async def test_what_the_library_raises_after_it_has_moved_on_loses_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    fetch = AIOKafkaConsumer.getmany
    raised = 0

    async def spoilt(self: AIOKafkaConsumer, *places: TopicPartition, **options: object) -> object:
        nonlocal raised
        found = await fetch(self, *places, **options)
        if found and self._group_id is not None and raised < 3:
            raised += 1
            raise error("after the positions moved")
        return found

    service = await stage.service(toy.build, Settings)
    await stage.publish(*(paid() for _ in range(20)))
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", spoilt)
    published, loud = 20, False

    async def raised_and_loud() -> bool:
        # A fetch that had begun before is not spoilt: records keep coming.
        nonlocal published, loud
        if raised < 3:
            await stage.publish(*(paid() for _ in range(5)))
            published += 5
        loud = loud or error.__name__ in (await service.problems()).get("kafka", "")
        return loud and raised == 3

    await stage.eventually(raised_and_loud)

    async def done() -> bool:
        return await applied(service) == published

    await stage.eventually(done)
    await stage.eventually(lambda: all_committed(stage))
    assert raised == 3
    assert service.metrics.reading_faults.labels("reading_failed")._value.get() == 3


async def test_offsets_that_the_coordinator_does_not_answer_are_unknown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def loading(*_arguments: object, **_options: object) -> dict[TopicPartition, object]:
        return {}  # what aiokafka makes of an error of the whole answer

    await stage.ensure_topics([OrderPaid.topic])
    monkeypatch.setattr(AIOKafkaAdminClient, "list_consumer_group_offsets", loading)
    assert not await all_committed(stage)


async def test_what_the_handler_raises_sets_every_partition_back(stage: Stage) -> None:
    seen: list[tuple[int, int]] = []
    failures = 3

    async def consume(records: Sequence[Fetched]) -> None:
        nonlocal failures
        if failures:
            failures -= 1
            await asyncio.sleep(0.05)
            raise StrangeError
        seen.extend((record.partition, record.offset) for record in records)

    await stage.publish(*(paid() for _ in range(50)))
    topic = stage.prefix + OrderPaid.topic
    subscription = Subscription(stage.kafka, [topic], f"{stage.prefix}group", consume, max_records=7)
    await subscription.start()
    try:

        async def done() -> bool:
            return len(seen) >= 50

        await stage.eventually(done)
    finally:
        await subscription.stop()
    assert len(seen) == len(set(seen)) == 50
    assert all(place.applied == place.committed for place in subscription.progress.places.values())


async def test_records_that_the_library_never_returns_are_a_gap_that_is_put_aside(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = AIOKafkaConsumer.getmany

    async def forgetful(self: AIOKafkaConsumer, *places: TopicPartition, **options: object) -> object:
        found = await fetch(self, *places, **options)
        if self._group_id is None:
            return found
        return {place: kept for place, rows in found.items() if (kept := [row for row in rows if row.offset != 2])}

    monkeypatch.setattr(AIOKafkaConsumer, "getmany", forgetful)
    service = await stage.service(toy.build, Settings)
    await stage.publish(*(paid() for _ in range(30)))

    async def done() -> bool:
        return await applied(service) == 28 and len(await put_aside(service)) == 2

    await stage.eventually(done)
    assert {(row.record_offset, row.reason) for row in await put_aside(service)} == {(2, "offsets_missing")}
    await stage.eventually(lambda: all_committed(stage))


async def test_a_statement_that_is_cancelled_while_a_table_is_locked_makes_no_dead_letter(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    waiting = (
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%seen%'"
    )
    cancelled = 0
    async with service.database.transaction() as holder:
        await holder.execute("LOCK TABLE seen IN ACCESS EXCLUSIVE MODE")
        await stage.publish(*(paid() for _ in range(5)))

        async def cancel() -> bool:
            nonlocal cancelled
            async with service.database.reading() as tx:
                cancelled += len((await tx.execute(waiting)).all())
            return cancelled >= 3

        await stage.eventually(cancel)

    async def done() -> bool:
        return await applied(service) == 5

    await stage.eventually(done)
    assert await put_aside(service) == []


async def test_a_fetcher_that_ended_is_seen_and_replaced(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    first = service._connected()
    assert first is not None
    first._fetcher._fetch_task.cancel()
    await stage.eventually(lambda: _has_problem(service, "fetching task has ended"))
    await stage.publish(paid())

    async def done() -> bool:
        return await applied(service) == 1

    await stage.eventually(done)
    assert service._connected() is not first


async def _has_problem(service: Service, words: str) -> bool:
    return words in (await service.problems()).get("kafka", "")


def test_a_standstill_and_an_uncommitted_offset_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("shared.messaging.progress.time.monotonic", lambda: now)
    progress, place = Progress(), TopicPartition("toy.things", 0)
    progress.begin({place: 5})
    progress.applied({place: 8})
    assert progress.uncommitted() == {place: 8}
    assert progress.compare({place: 20}) == []
    now += 31
    assert progress.compare({place: 20}) == [
        "toy.things[0] stands at offset 8, its end is 20",
        "toy.things[0] is applied up to 8 and committed up to 5",
    ]
    progress.applied({place: 20})
    progress.committed({place: 20})
    assert progress.compare({place: 20}) == []
    assert progress.moved({place: 25}) == {place: 20}
