"""The records that topics have since a moment: where they begin and end, and reading them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.messaging.access import KafkaAccess
from shared.messaging.record_batches import Fetched
from shared.messaging.topics import topic_settings
from shared.recovery.models import RecoveryRefusedError

_WAIT_MS, _SILENT_SECONDS = 500, 60.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Offsets of the first record since the moment, and after the last one."""

    begin: int
    end: int


@asynccontextmanager
async def connected(kafka: KafkaAccess, group: str | None) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a subscription; with a group it may commit offsets while no member of the group runs.

    Raises RecoveryRefusedError where the brokers do not answer.
    """
    # Without isolation, as the service itself reads: nobody here writes in transactions of Kafka.
    consumer = AIOKafkaConsumer(**kafka.aiokafka(), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise RecoveryRefusedError(f"Kafka does not answer: {type(error).__name__}") from error
    try:
        yield consumer
    finally:
        await consumer.stop()


async def partitions(kafka: KafkaAccess, topics: Iterable[str]) -> list[TopicPartition]:
    """All partitions of these topics, by their full names."""
    wanted = sorted(topics)
    if not wanted:
        return []
    admin = AIOKafkaAdminClient(**kafka.aiokafka())
    await admin.start()
    try:
        described = await admin.describe_topics(wanted)
    finally:
        await admin.close()
    return [TopicPartition(topic["topic"], part["partition"]) for topic in described for part in topic["partitions"]]


async def stretches(
    consumer: AIOKafkaConsumer, places: Sequence[TopicPartition], prefix: str, since: datetime, now: datetime
) -> dict[TopicPartition, Stretch]:
    """The records since that moment, by partition. Raises RecoveryRefusedError where some are gone already.

    A topic that is deleted by age loses nothing that is younger than its `retention.ms`. A compacted one keeps the
    newest record of each key, which is all that its readers need.
    """
    if not places:
        return {}
    moment = round(since.timestamp() * 1000)
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    found = await consumer.offsets_for_times(dict.fromkeys(places, moment))
    made, gone = {}, set()
    for place in places:
        at = found[place].offset if found[place] is not None else ends[place]
        retention = topic_settings(place.topic.removeprefix(prefix)).get("retention.ms")
        if retention and begins[place] >= at > 0 and now - since > timedelta(milliseconds=int(retention)):
            gone.add(place.topic)
        made[place] = Stretch(at, ends[place])
    if gone:
        raise RecoveryRefusedError(
            f"{', '.join(sorted(gone))}: records since {since:%Y-%m-%d %H:%M:%S%z} may be gone, because the topic's "
            "retention is shorter. Put back a younger backup, or the write-ahead log as well."
        )
    return made


async def batches(
    consumer: AIOKafkaConsumer, parts: Mapping[TopicPartition, Stretch], max_records: int
) -> AsyncIterator[dict[TopicPartition, Sequence[Fetched]]]:
    """Read all of these records. Raises RecoveryRefusedError where the brokers stop handing them out."""
    left = {place for place, part in parts.items() if part.begin < part.end}
    if not left:
        return
    consumer.assign(sorted(left))
    for place in left:
        consumer.seek(place, parts[place].begin)
    heard_at = asyncio.get_running_loop().time()
    while left:
        fetched = await consumer.getmany(*left, timeout_ms=_WAIT_MS, max_records=max_records)
        now = asyncio.get_running_loop().time()
        if fetched:
            heard_at = now
            yield fetched
        elif now - heard_at > _SILENT_SECONDS:
            names = ", ".join(sorted({place.topic for place in left}))
            raise RecoveryRefusedError(f"{names}: the brokers handed out nothing for a minute; run it again")
        for place in list(left):
            if await consumer.position(place) >= parts[place].end:
                left.discard(place)
