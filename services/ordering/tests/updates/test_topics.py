"""Updates on the topics of shops: the bodies of the webhooks, for the shops that read a topic and for no others."""

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import OrderPlaced, updates_topic
from shared.messaging.fetching import hang_up
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, StartShop

SHOPS = ("esimka", "e-sim-onl")


async def records(stage: Stage, shop: str, count: int) -> list[ConsumerRecord]:
    """At least so many records of a shop's topic, and whatever else is there. Raises TimeoutError."""
    consumer = AIOKafkaConsumer(
        stage.prefix + updates_topic(shop), **stage.kafka.aiokafka(), auto_offset_reset="earliest", group_id=None
    )
    found: list[ConsumerRecord] = []

    async def enough() -> bool:
        for batch in (await consumer.getmany(timeout_ms=100)).values():
            found.extend(batch)
        return len(found) >= count

    try:
        await consumer.start()
        await stage.eventually(enough)
    finally:
        await consumer.stop()
        await hang_up(consumer)
    return found


async def test_a_shop_hears_the_same_on_its_topic_as_by_webhook(
    shop_of: "StartShop", stage: Stage, good_order: "OrderBody"
) -> None:
    await stage.ensure_topics(map(updates_topic, SHOPS))
    shop = await shop_of(build, Settings, updates_topics=["esimka"])
    await shop.place(good_order("e-sim-onl"), storefront="e-sim-onl")  # this shop reads no topic
    placed = (await shop.place(key="basket-1")).json()
    again = await shop.place(key="basket-1")
    assert again.headers["Idempotent-Replay"] == "true"
    await stage.events(OrderPlaced, count=2)

    [record] = await records(stage, "esimka", 1)
    [row] = await shop.rows("SELECT * FROM updates WHERE storefront = 'esimka'")
    assert json.loads(record.value) == row.body
    assert row.body["type"] == "order.accepted"
    assert row.body["data"]["submission_id"] == "basket-1"
    assert record.key.decode() == placed["order_id"]
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["ce_id"] == str(row.update_id)
    assert (headers["ce_specversion"], headers["ce_source"], headers["ce_type"]) == (
        "1.0",
        "/services/ordering",
        "order.accepted",
    )
    assert datetime.fromisoformat(headers["ce_time"]) == row.occurred_at
    assert headers["content-type"] == "application/json"
    assert await records(stage, "e-sim-onl", 0) == []
    assert await shop.rows("SELECT 1 FROM updates WHERE storefront = 'e-sim-onl'") != []


async def test_what_is_undone_is_not_published(stage: Stage, shop_of: "StartShop") -> None:
    """An update is in the outbox or not there, together with its row."""
    await stage.ensure_topics(map(updates_topic, SHOPS))
    shop = await shop_of(build, Settings, updates_topics=["esimka"])
    failed = await shop.place({"plan": "no-such-plan"})
    assert failed.status_code == 422
    assert (await shop.place()).status_code == 201
    [record] = await records(stage, "esimka", 1)
    assert json.loads(record.value)["type"] == "order.accepted"


async def test_a_shop_that_is_not_there_reads_no_topic(stage: Stage) -> None:
    settings = await stage.settings(Settings, "ordering", updates_topics=["esimka", "no-such-shop"])
    with pytest.raises(ValueError, match="no-such-shop"):
        build(settings)
