"""Topics: personal data leave the log in time, also where an earlier version made the topic."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic  # type: ignore[attr-defined] # not in its __all__

from shared.contracts import BuyerContact, OrderPaid, OrderSubmitted, QrDelivered
from shared.messaging.topics import create_topics
from shared.testing import topic_sets
from shared.testing.backends import backends
from shared.testing.facts import contact, paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

pytestmark = pytest.mark.infra
DAY = timedelta(days=1)
#: `log.retention.check.interval.ms` and `file.delete.delay.ms` as brokers have them by default.
CHECK, REMOVE = timedelta(minutes=5), timedelta(minutes=1)


@pytest.fixture
def prefix() -> Iterator[str]:
    made = f"t{secrets.token_hex(5)}."
    yield made
    admin = AdminClient(backends().kafka.librdkafka())
    ours = [name for name in admin.list_topics(timeout=20).topics if name.startswith(made)]
    for future in admin.delete_topics(ours).values():
        future.result(20)


async def test_a_test_leaves_no_topics_to_the_broker() -> None:
    stage = Stage()
    await stage.publish(paid())
    there = AdminClient(backends().kafka.librdkafka())
    assert stage.prefix + OrderPaid.topic in there.list_topics(timeout=20).topics
    await stage.close()

    async def gone() -> bool:
        return not any(name.startswith(stage.prefix) for name in there.list_topics(timeout=20).topics)

    await stage.eventually(gone)  # the broker tells clients a moment after it has answered


async def test_topics_are_handed_on_empty_and_without_groups() -> None:
    used = topic_sets.TopicSet()
    earlier = Stage(used)
    await earlier.service(toy.build, Settings)
    await earlier.publish(*(paid() for _ in range(20)), contact())
    await earlier.events(QrDelivered, count=20)
    await earlier.close()

    async def handed_on() -> bool:
        return used in topic_sets.free

    await earlier.eventually(handed_on)
    topic_sets.free.remove(used)
    later = Stage(used)
    try:
        assert later.prefix == earlier.prefix
        assert await later.all_events(OrderPaid) == []
        assert await later.all_events(BuyerContact) == []
        order = paid()
        await later.publish(order)  # before its reader comes: the group's offsets are those of nobody
        service = await later.service(toy.build, Settings)
        [delivered] = await later.events(QrDelivered)
        assert delivered.event.order_id == order.order_id
        assert await service.problems() == {}
    finally:
        await later.close()


def settings(topic: str) -> dict[str, str]:
    admin = AdminClient(backends().kafka.librdkafka())
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    found = admin.describe_configs([resource])[resource].result(20)
    return {name: entry.value for name, entry in found.items()}


def lasting(topic_settings: dict[str, str], *names: str) -> timedelta:
    return timedelta(milliseconds=sum(int(topic_settings[name]) for name in names))


async def test_personal_data_leave_the_log_within_a_day(prefix: str) -> None:
    topics = [BuyerContact.topic, OrderSubmitted.topic, OrderPaid.topic]
    await asyncio.to_thread(create_topics, backends().kafka, topics, prefix=prefix, partitions=1)
    submitted = settings(prefix + OrderSubmitted.topic)
    assert lasting(submitted, "retention.ms", "segment.ms") + CHECK + REMOVE < DAY
    assert submitted["message.timestamp.type"] == "LogAppendTime", "not a shop's clock"
    contacts = settings(prefix + BuyerContact.topic)
    assert contacts["cleanup.policy"] == "compact"
    assert lasting(contacts, "segment.ms", "max.compaction.lag.ms") < DAY
    assert settings(prefix + OrderPaid.topic)["message.timestamp.type"] == "CreateTime"


async def test_topics_of_an_earlier_version_are_brought_in_line(prefix: str) -> None:
    old = {"cleanup.policy": "delete", "retention.ms": str(7 * 86_400_000)}
    admin = AdminClient(backends().kafka.librdkafka())
    made = [NewTopic(prefix + event.topic, 1, 1, config=old) for event in (BuyerContact, OrderSubmitted, OrderPaid)]
    for future in admin.create_topics(made).values():
        future.result(20)
    topics = [BuyerContact.topic, OrderSubmitted.topic, OrderPaid.topic]
    for _ in range(2):
        await asyncio.to_thread(create_topics, backends().kafka, topics, prefix=prefix)
    # The controller has them at once; the broker that is asked learns them a moment later.
    deadline = time.monotonic() + 20
    while settings(prefix + BuyerContact.topic)["cleanup.policy"] != "compact":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    while not lasting(settings(prefix + OrderSubmitted.topic), "retention.ms") < DAY:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    assert lasting(settings(prefix + OrderPaid.topic), "retention.ms") == 7 * DAY
