"""All topics are read again from their beginning: what was done stays done, and nothing is done again."""

import asyncio
from collections import Counter

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from product.harness import Running
from product.judge import until
from product.running import NAMES, Product
from shared.testing.documents import JsonObject

UNMADE = {"target": "operator.download_order", "effect": "out_of_stock", "match": {"profileType": "kz-data"}}


@pytest.mark.long
@pytest.mark.parametrize("forgotten", [False, True], ids=["remembered", "inbox-forgotten"])
async def test_nothing_happens_twice(running: Running, forgotten: bool) -> None:
    """Without its inbox a service knows facts by their business keys alone (a replay older than the inbox)."""
    # given: delivered and refunded orders
    product = running.product
    await running.sandbox.faults(UNMADE)
    made = await running.shop.buy_many(4)
    unmade = await running.shop.buy_many(4, plan="kz-3gb-15d")
    profiles = await running.judge.delivered(made)
    await running.judge.refunded(unmade, beside=profiles)
    before = await ledgers(running)
    assert before[2]

    # when: every service reads its topics from the beginning
    read = await asyncio.to_thread(positions, product)
    await asyncio.gather(*(service.stop() for service in product.services.values()))
    await asyncio.to_thread(forget_offsets, product)
    for name in NAMES:
        if forgotten:
            await product.query(name, "DELETE FROM inbox RETURNING 1")
            await product.query(name, "DELETE FROM inbox_by_arrival RETURNING 1")
        product.services[name].start()
    await asyncio.gather(*(product.ready(name) for name in NAMES))
    await until(lambda: behind(product, read))
    for name in NAMES:
        await product.forgive(name)  # the bad records of other tests are put aside again

    # then: bank, operator and mail server have nothing more than before
    assert await running.judge.delivered(made) == profiles
    await running.judge.refunded(unmade, beside=profiles)
    bank, operator, mails = await ledgers(running)
    assert (bank, operator) == before[:2]
    # Buyers of other tests may get new mails meanwhile; no mail is sent again.
    assert {message: mails[message] for message in before[2]} == before[2]


async def ledgers(running: Running) -> tuple[list[JsonObject], list[JsonObject], Counter[str]]:
    """Everything that bank, operator and mail server have written down; of mails how often each has come."""
    mail = await running.sandbox.ledger_mail()
    came = Counter(message["message_id"] for message in mail["messages"])
    return await running.sandbox.ledger_bank(), await running.sandbox.ledger_operator(), came


def forget_offsets(product: Product) -> None:
    """No service of this product knows how far it has read."""
    admin = AdminClient(product.kafka.librdkafka())
    for future in admin.delete_consumer_groups([product.prefix + name for name in NAMES]).values():
        future.result(20)


def positions(product: Product) -> dict[tuple[str, str, int], int]:
    """How far each service has read, by group, topic and partition."""
    admin = AdminClient(product.kafka.librdkafka())
    found: dict[tuple[str, str, int], int] = {}
    for name in NAMES:
        group = product.prefix + name
        [future] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
        found |= {(group, one.topic, one.partition): one.offset for one in future.result(20).topic_partitions}
    return found


async def behind(product: Product, read: dict[tuple[str, str, int], int]) -> str:
    """What has not been read again yet."""
    now = await asyncio.to_thread(positions, product)
    left = sum(max(0, offset - now.get(place, 0)) for place, offset in read.items())
    return f"{left} records are not read again yet" if left else ""
