"""Profiles end to end: failover, a reseller without idempotency, revocation, top-ups. The operators' ledgers judge."""

import asyncio

import pytest

from product.faults import kill
from product.harness import Running
from product.judge import qr_text, until
from product.shop import Buyer, Order, stubborn
from shared.testing.documents import JsonObject

ORDERS = 3
RESOLD, RESOLD_SHOP = "cn-5gb-30d", "qazaq-esim"
EID = "89049032000000000000000000000163"
#: It reserves profiles and then answers 503: whoever turns away from it leaves something behind.
FAILS_TO_CONFIRM = {"target": "operator.confirm_order", "effect": "http_error", "match": {"operator": "primary"}}


async def made_at(running: Running, operator: str, count: int = 1) -> None:
    """Wait until so many of this test's profiles are there."""

    async def missing() -> str:
        made = [one for one in await running.judge.new_profiles() if one["operator"] == operator]
        return "" if len(made) >= count else f"{operator} has made {len(made)} of {count}"

    await until(missing)


async def test_killed_amid_a_failover(running: Running) -> None:
    """The first operator has reserved profiles, the second one is making others: each buyer gets one that works."""
    # given: a first operator that fails after it has reserved, and a slow second one
    await running.sandbox.faults(
        FAILS_TO_CONFIRM,
        {"target": "operator.confirm_order", "effect": "delay", "seconds": 1.0, "match": {"operator": "secondary"}},
    )
    # when: provisioning is killed while the second one makes profiles
    buying = asyncio.create_task(running.shop.buy_many(ORDERS, "qazaq-esim", together=ORDERS))
    await made_at(running, "secondary")
    kill(running.product, "provisioning")
    orders = await buying
    await made_at(running, "secondary", ORDERS)
    await running.sandbox.clear_faults()
    # then: each buyer has a profile of the second one, and those of the first are cancelled
    held = await running.judge.delivered(orders, patience=90)
    assert {one["operator"] for one in held} == {"secondary"}
    left = [one for one in await running.judge.new_profiles() if one["operator"] == "primary"]
    assert {one["state"] for one in left} == {"cancelled"}


LOST, SLOW = {"effect": "lose_reply"}, {"effect": "delay", "seconds": 1.0}


@pytest.mark.parametrize("fault", [LOST, SLOW], ids=["lost", "killed"])
async def test_one_order_at_a_reseller_that_cannot_tell_repetitions(running: Running, fault: JsonObject) -> None:
    # given: a reseller that knows no idempotency keys, and whose answers get lost or come late
    await running.sandbox.faults({"target": "airalo.orders_async", "times": ORDERS, **fault})
    # when: buyers order and pay; provisioning is killed during the late calls
    orders = [await running.shop.place(RESOLD_SHOP, plan=RESOLD) for _ in range(ORDERS)]
    for order in orders:
        await running.shop.pay(order)
    await made_at(running, "reseller")
    if fault["effect"] == "delay":
        kill(running.product, "provisioning")
    # then: each order is delivered, and the reseller has sold one profile for it
    held = await running.judge.delivered(orders)
    assert {one["operator"] for one in held} == {"reseller"}
    sold = [one["description"] for one in (await running.sandbox.ledger_airalo())["orders"]]
    assert [sold.count(order.number) for order in orders] == [1] * ORDERS


async def code_of(running: Running, order: Order) -> str:
    """The activation code in the buyer's mail."""
    for mail in await running.sandbox.mails(to=order.buyer.email):
        if ".qr@" in mail["message_id"]:
            return qr_text(mail)
    raise AssertionError(f"order {order.number} has no mail with a code")


async def test_the_code_stops_working_after_an_approved_refund(running: Running) -> None:
    """RC 1: an eSIM that is on no device is refunded in full; and then nobody can install it any more."""
    # given: two delivered orders
    order, other = await running.shop.buy("e-sim-onl"), await running.shop.buy("e-sim-onl")
    await running.judge.statuses([order, other], "delivered")
    # when: one buyer asks for a refund
    url = f"{running.product.url('refunds')}/orders/{order.id}/refund-requests"
    body = {"reason": "changed_mind", "email": order.buyer.email}
    auth = running.shop.auth(order.storefront)
    answer = await stubborn(lambda: running.shop.http.post(url, json=body, headers=auth))
    assert answer.status_code == 201, answer.text
    # then: it is refunded, a phone cannot install that code any more, and can install the other
    await running.judge.statuses([order], "refunded")

    async def works() -> str:
        seen = await running.sandbox.scan(await code_of(running, order), EID)
        return "" if (seen.get("subjectCode"), seen.get("reasonCode")) == ("8.2.6", "3.8") else f"the phone sees {seen}"

    await until(works)
    assert (await running.sandbox.scan(await code_of(running, other), EID))["ok"]
    states = sorted(one["state"] for one in await running.judge.new_profiles())
    assert states == ["cancelled", "released"]


@pytest.mark.parametrize("trouble", ["lost", "killed"])
async def test_a_top_up_is_applied_once(running: Running, trouble: str) -> None:
    # given: a delivered eSIM, and an operator whose answer to the top-up gets lost or comes late
    order = await running.shop.buy("qazaq-esim")
    [profile] = await running.judge.delivered([order])
    lost, slow = {"effect": "lose_reply", "times": 1}, {"effect": "delay", "seconds": 1.5, "times": 1}
    await running.sandbox.faults({"target": "operator.top_up", **(lost if trouble == "lost" else slow)})
    # when: the buyer pays a top-up; provisioning is killed during the late call
    top_up = await place_top_up(running, profile["iccid"])
    await running.shop.pay(top_up)

    async def not_applied() -> str:
        return "" if await top_ups(running, profile["iccid"]) else "nothing was added yet"

    await until(not_applied)
    if trouble == "killed":
        kill(running.product, "provisioning")
    # then: it is applied once, and paid
    await running.judge.statuses([top_up], "topped_up")
    await running.judge.quiet()
    [added] = await top_ups(running, profile["iccid"])
    assert (added["key"], added["totalBytes"]) == (top_up.number, profile["totalBytes"] + added["dataBytes"])
    assert await running.judge.charges(top_up) != []


async def place_top_up(running: Running, iccid: str) -> Order:
    again = Buyer()
    body = running.shop.body("qazaq-esim", again) | {"kind": "top_up", "iccid": iccid}
    headers = {**running.shop.auth("qazaq-esim"), "Idempotency-Key": again.key}
    url = f"{running.product.url('ordering')}/orders"
    answer = await stubborn(lambda: running.shop.http.post(url, json=body, headers=headers))
    assert answer.status_code == 201, answer.text
    placed = answer.json()
    price = placed["price"]
    return Order(placed["order_id"], placed["order_number"], "qazaq-esim", again, price["amount"], price["currency"])


async def top_ups(running: Running, iccid: str) -> list[JsonObject]:
    """What the operators have added to this profile."""
    [profile] = [one for one in await running.sandbox.ledger_operator() if one["iccid"] == iccid]
    found: list[JsonObject] = profile["topUps"]
    return found
