"""Clients of Kafka leave no connection open, whenever they are stopped."""

import asyncio
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaError

from shared.messaging.producer import Producer
from shared.testing.stage import Stage


async def test_a_bootstrap_that_is_cancelled_closes_its_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[AIOKafkaConnection] = []
    asked = asyncio.Event()
    send = AIOKafkaConnection.send

    def unanswered(self: AIOKafkaConnection, request: Any, *args: Any, **options: Any) -> Any:
        if "Metadata" not in type(request).__name__:
            return send(self, request, *args, **options)
        connections.append(self)
        asked.set()
        return asyncio.Event().wait()

    monkeypatch.setattr(AIOKafkaConnection, "send", unanswered)
    client = AIOKafkaClient(bootstrap_servers=stage.kafka.bootstrap_servers)
    connecting = asyncio.create_task(client.bootstrap())
    await asked.wait()
    assert connections[0].connected()
    connecting.cancel()
    await asyncio.gather(connecting, return_exceptions=True)
    assert not connections[0].connected()


async def test_a_producer_that_was_stopped_opens_nothing_for_a_late_caller(stage: Stage) -> None:
    producer = Producer(stage.kafka, prefix=stage.prefix)
    await producer.ping()
    await producer.stop()
    with pytest.raises(KafkaError, match="stopped"):
        await producer.ping()
    await producer.start()
    await producer.ping()
    await producer.stop()
