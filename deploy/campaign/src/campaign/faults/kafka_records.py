"""Records that nobody can read, and records that are read again from the beginning."""

import asyncio
import random
import time

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from campaign.scene import Record, Scene, lifted
from campaign.schedule import Fault
from hostile.attacks import own_topics, shops

_FORGOTTEN_SECONDS = 30.0


async def bad_records(scene: Scene, fault: Fault, record: Record) -> None:
    """Poison, facts of other schemas and raw batches, on our own topics and on those of the shops."""
    rng = random.Random(fault.seed)
    hostile = scene.hostile.of(rng)
    ends = time.monotonic() + fault.seconds
    while time.monotonic() < ends:
        await rng.choice((own_topics.records, own_topics.batches, shops.submissions))(hostile)
        await asyncio.sleep(0.1)
    lifted(record)


async def replay(scene: Scene, fault: Fault, record: Record) -> None:
    """A service forgets how far it has read: it reads all its topics again from their beginning."""
    async with scene.holding(fault.target):
        await scene.stack.parts[fault.target].stop()
        try:
            await _forget(scene, fault.target)
        finally:
            lifted(record)
            await scene.start(fault.target, record)


async def _forget(scene: Scene, service: str) -> None:
    """The broker keeps a group as long as its last session lasts."""
    admin = AdminClient({**scene.hostile.target.access_as("admin").librdkafka(), "log_level": 0})
    deadline = time.monotonic() + _FORGOTTEN_SECONDS
    while True:
        [future] = admin.delete_consumer_groups([service], request_timeout=10).values()
        try:
            await asyncio.to_thread(future.result, 20)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.5)
        else:
            return
