"""Each shop submits on its own topic: the topic determines the shop, and its unreadable records affect no other."""

import json
from typing import TYPE_CHECKING

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import OrderPlaced, OrderRejected, OrderSubmitted, orders_topic
from shared.ids import uuid7
from shared.messaging.cloudevents import to_wire
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop


def headers(identity: str | None = None) -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": identity or str(uuid7()),
        "ce_type": OrderSubmitted.ce_type(),
        "ce_source": "/shop",
    }


def body(key: str, order: object, storefront: str = "esimka") -> bytes:
    return OrderSubmitted(storefront=storefront, submission_id=key, order=order).model_dump_json().encode()


async def test_the_topic_determines_the_shop(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    lie = body("stolen", good_order("esimka"), storefront="qazaq-esim")
    await stage.raw(orders_topic("esimka"), b"qazaq-esim:stolen", lie, to_wire(headers()))
    [placed] = await stage.events(OrderPlaced)
    assert placed.event.storefront == "esimka"
    own = body("stolen", good_order("qazaq-esim"), storefront="qazaq-esim")
    await stage.raw(orders_topic("qazaq-esim"), b"k", own, to_wire(headers()))
    both = await stage.events(OrderPlaced, count=2)
    assert {one.event.storefront for one in both} == {"esimka", "qazaq-esim"}, "nobody's key is used up by another"


async def test_the_same_id_from_two_shops_is_two_orders(shop: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    for identity in (str(uuid7()), "00000000-0000-0000-0000-000000000001", "ffffffff-ffff-7fff-bfff-ffffffffffff", "x"):
        for name in ("esimka", "qazaq-esim"):
            record = body(f"s-{identity}", good_order(name), storefront=name)
            for _ in range(2):
                await stage.raw(orders_topic(name), b"k", record, to_wire(headers(identity)))
    placed = await stage.events(OrderPlaced, count=8)
    assert len({one.event.order_id for one in placed}) == 8
    assert await shop.rows("SELECT 1 FROM inbox_other") == []


async def test_unreadable_records_of_one_shop_delay_no_other_and_are_rejected(
    shop_of: "StartShop", stage: Stage, good_order: "OrderBody"
) -> None:
    shop = await shop_of(build, Settings, dead_letter_limit=5, shop_dead_letter_limit=20)
    topic = orders_topic("esimka")
    record = json.dumps({"submission_id": "half\x00an order", "order": {"buyer": {"email": "k@example.org"}}}).encode()
    await stage.raw(topic, b"k", record, to_wire(headers()))
    for number in range(150):
        await stage.raw(topic, b"k", b"{" * (number % 7 + 1), to_wire(headers()))
    await stage.publish(shop.submitted("good"), shop.submitted("other", storefront="qazaq-esim"))
    await stage.events(OrderPlaced, count=2)
    [rejected] = await stage.events(OrderRejected)
    assert (rejected.event.storefront, rejected.event.reason) == ("esimka", "unreadable-record")
    assert rejected.event.submission_id == "half\ufffdan order"
    assert "example.org" not in rejected.event.model_dump_json()

    async def all_there() -> bool:
        counted = shop.service.metrics.refused.labels("esimka", "invalid_body")._value.get()
        many = shop.service.metrics.refused.labels("esimka", "too_many")._value.get()
        return bool(counted + many > 20)

    await stage.eventually(all_there)
    letters = await shop.rows("SELECT reason, detail FROM dead_letters")
    assert 20 <= len(letters) < 151
    assert any(letter.reason == "too_many" for letter in letters)
    assert (await shop.service.problems()).get("kafka") is None


async def test_the_shared_topic_is_read_for_one_shop_alone(
    shop_of: "StartShop", stage: Stage, good_order: "OrderBody"
) -> None:
    shop = await shop_of(build, Settings, shared_orders_storefront="esimka")
    for name in ("esimka", "qazaq-esim"):
        record = body(f"at-{name}", good_order(name), storefront=name)
        await stage.raw(OrderSubmitted.topic, b"k", record, to_wire(headers()))
    [placed] = await stage.events(OrderPlaced)
    [rejected] = await stage.events(OrderRejected)
    assert placed.event.submission_id == "at-esimka"
    assert (rejected.event.submission_id, rejected.event.reason) == ("at-qazaq-esim", "shared-topic-closed")
    [letter] = await shop.rows("SELECT reason, sealed FROM dead_letters")
    assert (letter.reason, letter.sealed) == ("shared_topic_closed", 1)
