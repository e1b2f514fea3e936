"""Clients of Kafka leave no connection open, whenever they are stopped, and read metadata once."""

import asyncio
from dataclasses import dataclass

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.metadata import MetadataRequest

from shared.contracts import EVENTS, OrderPaid
from shared.messaging.cloudevents import Headers
from shared.messaging.producer import Producer
from shared.messaging.reading import GroupReading
from shared.testing.documents import Json
from shared.testing.stage import PATIENCE, Stage


@dataclass(frozen=True)
class Record:
    topic: str
    key: bytes
    value: bytes
    headers: Headers


async def test_a_bootstrap_that_is_cancelled_closes_its_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[AIOKafkaConnection] = []
    asked = asyncio.Event()
    send = AIOKafkaConnection.send

    def unanswered(self: AIOKafkaConnection, request: object, *args: object, **options: object) -> object:
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


async def test_a_connection_that_opens_while_the_client_is_closed_is_closed_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: list[AIOKafkaConnection] = []
    connected, proceed = asyncio.Event(), asyncio.Event()
    send = AIOKafkaConnection.send

    async def late(self: AIOKafkaConnection, *args: object, **options: object) -> object:
        connections.append(self)
        connected.set()
        await proceed.wait()
        return await send(self, *args, **options)

    client = AIOKafkaClient(bootstrap_servers=stage.kafka.bootstrap_servers)
    await client.bootstrap()
    monkeypatch.setattr(AIOKafkaConnection, "send", late)
    broker = min(each.nodeId for each in client.cluster.brokers())
    opening = asyncio.create_task(client.ready(broker))
    await connected.wait()
    await client.close()
    proceed.set()
    assert not await opening
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


async def test_a_write_to_a_connection_that_is_being_closed_is_a_lost_connection(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closing(_data: bytes) -> None:
        raise RuntimeError("unable to perform operation on a closed transport")  # as uvloop does

    client = AIOKafkaClient(bootstrap_servers=stage.kafka.bootstrap_servers)
    await client.bootstrap()
    broker = min(each.nodeId for each in client.cluster.brokers())
    assert await client.ready(broker)
    [connection] = client._conns.values()
    monkeypatch.setattr(connection._writer, "write", closing)
    with pytest.raises(KafkaConnectionError):
        await client.send(broker, MetadataRequest([]))
    assert not connection.connected()
    assert (await client.send(broker, MetadataRequest([]))).brokers
    await client.close()


async def test_a_producer_whose_sender_has_ended_is_replaced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    await stage.ensure_topics(EVENTS)
    send = AIOKafkaClient.send
    producer = Producer(stage.kafka, prefix=stage.prefix)
    record = Record(OrderPaid.topic, b"key", b"{}", [])

    async def closing(self: AIOKafkaClient, node: int, request: object, *args: object, **options: object) -> object:
        if type(request).__name__.startswith("Produce"):
            raise RuntimeError("unable to perform operation on a closed transport")  # as uvloop does
        return await send(self, node, request, *args, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", closing)
    [(lost, _)] = await producer.send_all([record])
    with pytest.raises(KafkaError):
        await lost
    monkeypatch.undo()
    try:
        sent = await asyncio.gather(*(producer.send_all([record]) for _ in range(3)))
        offsets = sorted([(await future).offset for [(future, _)] in sent])
        await producer.ping()
    finally:
        await producer.stop()
    assert offsets == [offsets[0], offsets[0] + 1, offsets[0] + 2]  # earlier tests have used the topic


async def test_a_ping_asks_for_no_topic_however_many_there_are(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Json] = []
    send = AIOKafkaClient.send

    async def noted(self: AIOKafkaClient, *args: object, **options: object) -> object:
        answers.append(await send(self, *args, **options))
        return answers[-1]

    await stage.ensure_topics(EVENTS)
    producer = Producer(stage.kafka, prefix=stage.prefix)
    await producer.start()
    monkeypatch.setattr(AIOKafkaClient, "send", noted)
    try:
        await producer.ping()
    finally:
        await producer.stop()
    assert [(len(answer.brokers) > 0, list(answer.topics)) for answer in answers] == [(True, [])]


async def test_the_metadata_of_all_topics_of_a_group_is_one_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a topic, each a tenth of a second after the one before, took operations five seconds an evaluation."""
    topics = sorted(EVENTS)[:20]
    names = {stage.prefix + topic for topic in topics}
    await stage.ensure_topics(topics)

    async def known() -> bool:
        places = await GroupReading(stage.kafka, f"{stage.prefix}nobody", sorted(names)).places()
        return {place.topic for place in places or ()} == names

    await stage.eventually(known)  # a broker names topics a moment after they were made
    requested: list[set[str]] = []
    update = AIOKafkaClient._metadata_update

    async def noted(self: AIOKafkaClient, cluster: object, names: set[str]) -> object:
        requested.append(set(names))
        return await update(self, cluster, names)

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", noted)
    assert await known()
    of_topics = [some for some in requested if some]
    assert len(of_topics) < len(topics) / 2
    assert all(some == names for some in of_topics)


async def test_a_reading_that_is_cancelled_while_it_closes_leaves_no_client_open(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.ensure_topics([OrderPaid.topic])
    stopping, proceed, stopped, closed = (asyncio.Event() for _ in range(4))
    stop, close = AIOKafkaConsumer.stop, AIOKafkaAdminClient.close

    async def slow_stop(self: AIOKafkaConsumer) -> None:
        stopping.set()
        await proceed.wait()
        await stop(self)
        stopped.set()

    async def noted_close(self: AIOKafkaAdminClient) -> None:
        await proceed.wait()
        await close(self)
        closed.set()

    monkeypatch.setattr(AIOKafkaConsumer, "stop", slow_stop)
    monkeypatch.setattr(AIOKafkaAdminClient, "close", noted_close)
    reading = GroupReading(stage.kafka, f"{stage.prefix}nobody", [stage.prefix + OrderPaid.topic])
    task = asyncio.create_task(reading.places())
    await stopping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proceed.set()
    async with asyncio.timeout(PATIENCE):
        await stopped.wait()
        await closed.wait()


async def test_the_committed_offsets_of_all_partitions_are_requested_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One request for each partition would take seconds after every rebalance of a service with two hundred."""
    requests = 0
    send = AIOKafkaConnection.send

    def counted(self: AIOKafkaConnection, request: object, *args: object, **options: object) -> object:
        nonlocal requests
        requests += "OffsetFetch" in type(request).__name__
        return send(self, request, *args, **options)

    topics = list(EVENTS)[:8]
    await stage.ensure_topics(topics)
    options = {"group_id": f"{stage.prefix}together", "auto_offset_reset": "earliest", **stage.kafka.aiokafka()}
    consumer = AIOKafkaConsumer(*(stage.prefix + topic for topic in topics), **options)
    monkeypatch.setattr(AIOKafkaConnection, "send", counted)
    await consumer.start()
    try:
        places = consumer.assignment()
        assert len(places) > len(topics) / 2
        async with asyncio.timeout(PATIENCE):
            positions = [await consumer.position(place) for place in places]
    finally:
        await consumer.stop()
    assert len(positions) == len(places)
    assert requests <= 2
