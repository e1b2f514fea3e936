"""A subscription finds its brokers, and leaves no connection behind when it is stopped."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiokafka import ConsumerRecord
from confluent_kafka.admin import AdminClient

from shared.contracts import OrderPaid
from shared.messaging.producer import Producer
from shared.messaging.subscription import Subscription
from shared.testing.facts import paid
from shared.testing.stage import Stage


@pytest.mark.parametrize("servers", ["127.0.0.1:1,{}", "{} , 127.0.0.1:1"])
async def test_one_of_the_named_brokers_is_enough(stage: Stage, servers: str) -> None:
    """The others may be down, or gone for good."""
    kafka = replace(stage.kafka, bootstrap_servers=servers.format(stage.kafka.bootstrap_servers))
    arrived = asyncio.Event()

    async def consume(_records: Sequence[ConsumerRecord]) -> None:
        arrived.set()

    await stage.ensure_topics([OrderPaid.topic])
    subscription = Subscription(kafka, [stage.prefix + OrderPaid.topic], f"{stage.prefix}group", consume)
    producer = Producer(kafka, prefix=stage.prefix)
    await subscription.start()
    try:
        await producer.start()
        await (await producer.send(OrderPaid.topic, b"key", b"body", []))
        await asyncio.wait_for(arrived.wait(), 60)
        topics = await asyncio.to_thread(AdminClient(kafka.librdkafka()).list_topics, timeout=60)
        assert stage.prefix + OrderPaid.topic in topics.topics
    finally:
        await producer.stop()
        await subscription.stop()


async def test_a_stop_during_a_request_closes_all_connections(stage: Stage) -> None:
    await stage.publish(paid())
    arrived = asyncio.Event()

    async def consume(_records: Sequence[ConsumerRecord]) -> None:
        arrived.set()

    subscription = Subscription(stage.kafka, [stage.prefix + OrderPaid.topic], f"{stage.prefix}group", consume)
    await subscription.start()
    await asyncio.wait_for(arrived.wait(), 60)
    consumer = subscription.consumer
    assert consumer is not None
    connections = list(consumer._client._conns.values())
    assert any(one.connected() for one in connections)
    request = asyncio.create_task(asyncio.Event().wait())
    consumer._fetcher._pending_tasks.add(request)
    await subscription.stop()
    assert request.cancelled()
    assert not any(one.connected() for one in [*connections, *consumer._client._conns.values()])
