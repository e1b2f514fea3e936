"""Unpaid orders of one mailbox, phone and network are limited, by counts that concurrent orders cannot pass."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import OrderHeld, OrderPlaced, OrderRejected
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

MOST = 3
#: Every order after the first is unusual; `unpaid_by_…` alone decides what is refused.
USUAL = {"orders_by_email": 1, "orders_by_phone": 1, "orders_by_ip": 1}
TABLES = ("orders", "buyers", "session_records", "submissions", "holds", "order_facts")


async def limited(shop_of: "StartShop", limit: str) -> "Shop":
    return await shop_of(build, Settings, fraud_limits={**USUAL, limit: MOST})


def sender(limit: str, number: int) -> tuple[dict[str, str], dict[str, str]]:
    """The contact and the headers of an order that shares with the others only what this limit counts by."""
    contact = {"email": f"x{number}@example.net", "phone": f"+7701123{number:04}"}
    contact.pop({"unpaid_by_email": "email", "unpaid_by_phone": "phone"}.get(limit, ""), None)
    return contact, {"X-Forwarded-For": "91.10.0.1" if limit == "unpaid_by_ip" else f"91.10.1.{number}"}


async def rows(shop: "Shop") -> dict[str, int]:
    return {table: (await shop.rows(f"SELECT count(*) AS n FROM {table}"))[0].n for table in TABLES}


def counted(shop: "Shop") -> float:
    return shop.service.metrics.registry.get_sample_value("limits_reached_total", {"limit": "orders"}) or 0.0


@pytest.mark.parametrize("limit", ["unpaid_by_email", "unpaid_by_phone", "unpaid_by_ip"])
async def test_no_more_orders_than_the_limit_leave_anything_behind(
    stage: Stage, shop_of: "StartShop", good_order: "OrderBody", limit: str
) -> None:
    shop = await limited(shop_of, limit)

    async def place(number: int) -> httpx.Response:
        contact, headers = sender(limit, number)
        return await shop.place(good_order(**contact), key=f"k{number}", **headers)

    assert (await place(0)).status_code == 201
    answers = await asyncio.gather(*map(place, range(1, 13)))

    assert Counter(answer.status_code for answer in answers) == {201: MOST - 1, 429: 13 - MOST}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["type"] == "urn:problem:too-many-orders"
    assert [error["message"][:8] for error in refused.json()["errors"]] == ["3 orders"]
    assert refused.headers["Retry-After"] == "86400"
    held = (await shop.rows("SELECT count(*) AS n FROM holds"))[0].n
    assert len(await stage.events(OrderHeld, count=held)) == held
    assert await rows(shop) == dict.fromkeys(TABLES, MOST) | {"holds": held, "order_facts": held}
    assert counted(shop) == 13 - MOST
    # The answer to an accepted order stays the same; a refused one leaves its key free.
    assert (await place(0)).headers["Idempotent-Replay"] == "true"
    again = next(number for number, answer in enumerate(answers, 1) if answer.status_code == 429)
    async with shop.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO order_facts (order_id, fact, ref, at) SELECT order_id, 'order_paid', '', :now FROM orders",
            now=tx.now,
        )
    assert (await place(again)).status_code == 201


async def test_over_kafka_the_first_of_a_batch_are_accepted(
    stage: Stage, shop_of: "StartShop", good_order: "OrderBody"
) -> None:
    shop = await limited(shop_of, "unpaid_by_email")
    # In one batch each order is unusual.
    orders = [shop.submitted(f"s{number}", good_order(phone=f"+7701123{number:04}")) for number in range(6)]

    await stage.publish(*orders)

    rejected = await stage.events(OrderRejected, count=3)
    assert {one.event.reason for one in rejected} == {"too-many-orders"}
    assert {one.event.errors[0].field for one in rejected} == {"buyer.email"}
    assert await rows(shop) == dict.fromkeys(TABLES, MOST)
    assert counted(shop) == 3


async def test_a_stranger_does_not_use_up_the_orders_of_a_mailboxs_owner(
    shop_of: "StartShop", good_order: "OrderBody"
) -> None:
    shop = await limited(shop_of, "unpaid_by_email")
    await shop.place(good_order())
    async with shop.service.database.transaction() as tx:
        await tx.execute("UPDATE buyers SET proved_email = email, proved_at = :now, proved_by = 'link'", now=tx.now)
    answers = [await shop.place(good_order(phone=f"+7701123{number:04}")) for number in range(4)]
    assert [answer.status_code for answer in answers] == [201, 201, 429, 429]

    assert (await shop.place(good_order())).status_code == 201


async def test_addresses_of_one_ipv6_network_are_counted_together(
    stage: Stage, shop_of: "StartShop", good_order: "OrderBody"
) -> None:
    """A household or server has 2^64 addresses. A row of the previous release is counted by its address."""
    shop = await shop_of(build, Settings, fraud_limits={"orders_by_ip": 2, "emails_by_ip": 3})

    async def place(number: int, address: str) -> str:
        contact = {"email": f"x{number}@example.net", "phone": f"+7701123{number:04}"}
        placed = await shop.place(good_order(**contact), **{"X-Forwarded-For": address})
        return str(placed.json()["status"])

    first = [await place(number, f"2a01:5ec0:1:2::{number:x}") for number in range(2)]
    other = await place(2, "2a01:5ec0:1:3::1")
    async with shop.service.database.transaction() as tx:
        await tx.execute("UPDATE session_records SET network = NULL WHERE ip = '2a01:5ec0:1:2::'")
    old_row_does_not_count = await place(3, "2a01:5ec0:1:2:ffff::1")
    assert [*first, other, old_row_does_not_count] == ["placed"] * 4
    old_row_counts = await place(4, "2a01:5ec0:1:2::")
    too_many_mailboxes = await place(5, "2a01:5ec0:1:2::")
    assert (old_row_counts, too_many_mailboxes) == ("held", "held")
    rules = {rule for one in await stage.events(OrderHeld, count=2) for rule in one.event.rules}
    assert rules == {"orders_by_ip", "emails_by_ip"}
    assert len(await stage.all_events(OrderPlaced)) == 4
