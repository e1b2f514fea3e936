import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from local_stack.kafka import Kafka
from local_stack.kafka_wire import answers

pytestmark = pytest.mark.infra


@pytest.fixture
async def kafka(tmp_path: Path) -> AsyncIterator[Kafka]:
    broker = Kafka(tmp_path / "kafka")
    await broker.start()
    yield broker
    broker.kill()


def create_topic(kafka: Kafka, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)


def cluster_id(kafka: Kafka) -> str:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    return str(admin.list_topics(timeout=10).cluster_id)


async def produce(kafka: Kafka, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(kafka: Kafka, topic: str, count: int) -> set[bytes]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap_servers, auto_offset_reset="earliest")
    async with consumer:
        async with asyncio.timeout(60):
            return {(await consumer.getone()).value for _ in range(count)}


async def test_topics_can_be_made_as_soon_as_it_is_ready_and_deleted(kafka: Kafka) -> None:
    create_topic(kafka, "facts")
    await produce(kafka, "facts", b"one")
    assert await consume(kafka, "facts", 1) == {b"one"}
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics(["facts"])["facts"].result(30)


async def test_data_and_port_survive_kill_stop_and_restart(kafka: Kafka) -> None:
    create_topic(kafka, "facts")
    port = kafka.port
    await produce(kafka, "facts", b"before the kill")
    kafka.kill()
    assert not await answers(port)
    await kafka.start()
    await produce(kafka, "facts", b"after the kill")
    await kafka.restart()
    assert kafka.port == port
    assert await consume(kafka, "facts", 2) == {b"before the kill", b"after the kill"}


async def test_a_frozen_broker_does_not_answer_until_it_goes_on(kafka: Kafka) -> None:
    kafka.pause()
    assert not await answers(kafka.port)
    kafka.resume()
    create_topic(kafka, "facts")
    assert await answers(kafka.port)


async def test_a_new_runner_finds_the_data_of_the_last_one(kafka: Kafka) -> None:
    create_topic(kafka, "facts")
    await produce(kafka, "facts", b"kept")
    await kafka.stop()
    other = Kafka(kafka.directory)
    await other.start()
    try:
        assert await consume(other, "facts", 1) == {b"kept"}
    finally:
        other.kill()


async def test_two_brokers_are_two_clusters(kafka: Kafka, tmp_path: Path) -> None:
    other = Kafka(tmp_path / "other", extra_settings={"num.partitions": "3"})
    await other.start()
    try:
        ids = [cluster_id(broker) for broker in (kafka, other)]
        assert ids[0] != ids[1]
    finally:
        other.kill()
