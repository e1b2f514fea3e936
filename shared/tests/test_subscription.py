"""A subscription that is stopped leaves no connection behind."""

import asyncio
from collections.abc import Sequence

from aiokafka import ConsumerRecord

from shared.contracts import OrderPaid
from shared.messaging.subscription import Subscription
from shared.testing.facts import paid
from shared.testing.stage import Stage


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
