"""One of three brokers is lost, or two, while orders flow: what was acknowledged is kept, and each order ends once."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from local_stack.infra import Infra, KafkaCluster
from product.harness import Running
from test_servers import while_orders_flow


@pytest.fixture
def cluster(tmp_path: Path) -> KafkaCluster:
    return KafkaCluster(tmp_path / "kafka", password=secrets.token_urlsafe(12), logs=tmp_path / "logs")


@pytest.fixture
def infra(tmp_path: Path, cluster: KafkaCluster) -> Iterator[Infra]:
    with Infra(tmp_path / "servers", kafka=cluster) as started:
        yield started


def _leaders(cluster: KafkaCluster) -> set[int]:
    """The brokers that lead a partition of the product's topics."""
    topics = AdminClient(cluster.admin.librdkafka()).list_topics(timeout=20).topics
    return {place.leader for topic in topics.values() for place in topic.partitions.values()}


async def each_broker_is_killed_in_turn(private: Running, cluster: KafkaCluster) -> None:
    """Each leads some partitions, and one of them leads the controllers."""
    assert await asyncio.to_thread(_leaders, cluster) == {1, 2, 3}
    for node in cluster.nodes:
        orders = await while_orders_flow(private)
        node.kill()
        late = [await private.shop.place() for _ in range(2)]
        for order in late:
            await private.shop.pay(order)
        await private.judge.delivered([*await orders, *late], copies=10)
        await node.start()
        await private.judge.begin()


async def a_broker_is_cut_off_and_comes_back(private: Running, cluster: KafkaCluster) -> None:
    """A frozen broker believes that it still leads; when it goes on, its writes are refused by the newer epoch."""
    orders = await while_orders_flow(private)
    cluster.nodes[0].pause()
    try:
        late = [await private.shop.place() for _ in range(4)]
        for order in late:
            await private.shop.pay(order)
        await private.judge.delivered([*await orders, *late], copies=10)
    finally:
        cluster.nodes[0].resume()


async def two_of_three_are_lost_and_nothing_is_acknowledged(private: Running, cluster: KafkaCluster) -> None:
    """Shops can order meanwhile, because an order is in ordering's database before it is in Kafka."""
    orders = await while_orders_flow(private)
    for node in cluster.nodes[1:]:
        node.kill()
    late = [await private.shop.place() for _ in range(2)]
    await cluster.start()
    for order in late:
        await private.shop.pay(order)
    await private.judge.delivered([*await orders, *late], copies=10)


SCENES = (
    each_broker_is_killed_in_turn,
    a_broker_is_cut_off_and_comes_back,
    two_of_three_are_lost_and_nothing_is_acknowledged,
)


@pytest.mark.exhaustive
@pytest.mark.long
async def test_every_order_ends_once_when(private: Running, cluster: KafkaCluster, subtests: pytest.Subtests) -> None:
    for scene in SCENES:
        with subtests.test(scene.__name__):
            await private.judge.begin()
            await scene(private, cluster)
