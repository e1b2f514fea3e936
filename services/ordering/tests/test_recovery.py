"""Ordering is recovered with an empty database: its own events say which orders there are."""

from typing import TYPE_CHECKING

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import BuyerContact, BuyerErasureRequested, OrderPlaced
from shared.ids import uuid7
from shared.testing.documents import Json
from shared.testing.recovery import put_back
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop


async def test_orders_keep_their_numbers_and_their_keys(stage: Stage, shop_of: "StartShop") -> None:
    shop: Shop = await shop_of(build, Settings)
    answers = [(await shop.place(key=f"key-{number}")).json() for number in range(3)]
    submitted = shop.submitted("over-kafka")
    await stage.publish(submitted)
    placed = await stage.events(OrderPlaced, count=4)
    await stage.events(BuyerContact, count=4)
    # given: the buyer of the last order was erased
    erased = placed[-1].event
    await stage.publish(
        BuyerErasureRequested(
            buyer_id=erased.buyer_id, storefront="esimka", request_id=uuid7(), requested_at=erased.placed_at
        )
    )

    url, _ = await put_back(stage, shop.service, build)
    shop = await shop_of(build, Settings, database_url=url)

    # The same key is the same order, over HTTP and over Kafka; a new order has a number that was never given.
    again = [await shop.place(key=f"key-{number}") for number in range(3)]
    assert [_named(answer.json()) for answer in again] == [_named(answer) for answer in answers]
    await stage.publish(submitted)
    new = await shop.place(key="new")
    assert int(new.json()["order_number"]) > max(int(one.event.order_number) for one in placed) + 1000
    await stage.events(OrderPlaced, where=lambda event: str(event.order_id) == new.json()["order_id"])
    assert len(await shop.rows("SELECT 1 FROM orders")) == 5
    buyers = {row.buyer_id for row in await shop.rows("SELECT buyer_id FROM buyers WHERE email = 'anna@example.org'")}
    assert len(buyers) == 4
    assert erased.buyer_id not in buyers
    [request] = await shop.rows("SELECT order_id, kind FROM privacy_requests WHERE confirmed_at IS NOT NULL")
    assert request == (erased.order_id, "erase")
    statuses = await shop.rows("SELECT status FROM order_statuses")
    assert {row.status for row in statuses} == {"placed"}


def _named(answer: Json) -> tuple[str, str]:
    return answer["order_id"], answer["order_number"]
