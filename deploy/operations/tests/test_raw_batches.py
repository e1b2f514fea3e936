"""Record batches that no client would send, on every topic that operations reads, amid good facts."""

from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from shared.testing.record_batches import RawBatch, RawRecord, gzipped, produce_raw, varint

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Life, Start


NAMED = RawBatch((RawRecord(b"junk", b"k", ((b"\xff\xfe", b"v"), (b"\xc3(", None))),))
LYING = RawBatch((RawRecord(body=b"\x00\x00\x02\x01" + varint(900)),))

#: What it writes is no client's.
pytestmark = pytest.mark.new_topics


async def test_raw_batches_lose_no_fact(start: "Start", life: "type[Life]") -> None:
    running = await start(evaluation_seconds=3600)
    stage, stories = running.stage, [life() for _ in range(6)]
    taken = 0
    for number, topic in enumerate(running.service.consumer.topics):
        place = TopicPartition(stage.prefix + topic, number % 2)
        batch = (NAMED, gzipped(NAMED), LYING)[number % 3]
        taken += await produce_raw(stage.kafka, place, batch.encode()) == 0
        await stage.publish(*stories[number % 6].smooth())
    assert taken > len(running.service.consumer.topics) // 2
    await running.known(*(event for story in stories for event in story.smooth()))

    async def put_aside() -> bool:
        return len(await running.rows("SELECT 1 FROM dead_letters")) == taken

    await stage.eventually(put_aside)
    delivered = await running.rows("SELECT 1 FROM orders WHERE delivered_at IS NOT NULL")
    assert len(delivered) == len(stories)
