"""Webhooks change the open page; a shop whose receiver was down shows the same in the end."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from esim_fulfilment.testing import signed_webhook

if TYPE_CHECKING:
    from examples.shop.tests.conftest import Running


Fill = Callable[..., dict[str, str]]
ORDER_ID = "0198b3c4-0000-7000-8000-000000000001"


def event(type_: str, order_id: str = ORDER_ID) -> dict[str, object]:
    return {"type": type_, "timestamp": "2026-11-29T12:00:00Z", "data": {"order_id": order_id}}


async def deliver(
    shop: "Running", type_: str, webhook_id: str = "msg-1", secret: str | None = None, age: timedelta = timedelta()
) -> int:
    headers, body = signed_webhook(event(type_), secret or shop.secret, webhook_id=webhook_id, age=age)
    async with httpx.AsyncClient(trust_env=False) as service:
        return (await service.post(f"{shop.url}/webhooks", headers=headers, content=body)).status_code


def stored(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("shop.sqlite*"))


async def test_a_webhook_wakes_the_open_page_and_the_page_says_it(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    async with buyer.stream("GET", "/orders/basket-1/events") as events:
        lines = events.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == ["retry: 1000", "event: changed", "data: opened", ""]
        shop.stands("delivered")
        assert await deliver(shop, "order.delivered") == 204
        assert [await anext(lines) for _ in range(2)] == ["event: changed", "data: webhook"]
    part = (await buyer.get("/orders/basket-1/part")).text
    assert "Your eSIM is here" in part
    assert "order.delivered" in part


async def test_a_webhook_counts_once_however_often_it_comes(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert [await deliver(shop, "order.paid") for _ in range(3)] == [204, 204, 204]
    assert (await buyer.get("/orders/basket-1/part")).text.count("order.paid") == 1


@pytest.mark.parametrize(
    ("secret", "age"),
    [("whsec_C2FtcGxlLXNlY3JldC1vZi10aGUtb3RoZXItb25l", timedelta()), (None, timedelta(hours=1))],
    ids=["forged", "old"],
)
async def test_a_forged_or_old_webhook_changes_nothing(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill, secret: str | None, age: timedelta
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert await deliver(shop, "order.paid", secret=secret, age=age) == 400
    assert "order.paid" not in (await buyer.get("/orders/basket-1/part")).text


async def test_an_event_of_an_unknown_type_is_taken(shop: "Running", buyer: httpx.AsyncClient, fill: Fill) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    assert await deliver(shop, "order.gift_wrapped") == 204
    assert "order.gift_wrapped" in (await buyer.get("/orders/basket-1/part")).text


async def test_an_endless_body_is_refused(shop: "Running") -> None:
    async with httpx.AsyncClient(trust_env=False) as service:
        answer = await service.post(f"{shop.url}/webhooks", content=b" " * 300_000)
    assert answer.status_code == 413


async def test_without_webhooks_the_page_is_right_when_it_is_opened(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    shop.stands("delivered")
    assert "Your eSIM is here" in (await buyer.get("/orders/basket-1")).text


async def test_a_finished_order_is_asked_about_again_only_after_a_webhook(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    shop.stands("delivered")
    await buyer.get("/orders/basket-1")
    shop.stands("refunded")
    assert "Your eSIM is here" in (await buyer.get("/orders/basket-1")).text
    assert await deliver(shop, "refund.settled") == 204
    assert "The money is back" in (await buyer.get("/orders/basket-1")).text


async def test_an_erased_buyer_is_erased_here_too(
    shop: "Running", buyer: httpx.AsyncClient, fill: Fill, tmp_path: Path
) -> None:
    await buyer.post("/plans/tr-5gb-30d", data=fill())
    await buyer.get("/orders/basket-1")
    assert b"anna@example.org" in await asyncio.to_thread(stored, tmp_path)
    assert await deliver(shop, "buyer.erased") == 204
    assert (await buyer.get("/orders/basket-1")).status_code == 404
    assert b"anna@example.org" not in await asyncio.to_thread(stored, tmp_path)
