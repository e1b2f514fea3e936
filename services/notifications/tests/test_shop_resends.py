"""A shop has a code sent again: once for each key, so often a day, and only where it may be sent."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
from services.notifications.tests.test_newsletter_limit import KEYS, client_of

from notifications.resends.models import SHOP_RESENDS_A_DAY

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start


async def resend(client: httpx.AsyncClient, reference: object, key: str = "k") -> httpx.Response:
    return await client.post(f"/orders/{reference}/resend", headers={"idempotency-key": key})


async def delivered(running: "Notifications", mailbox: str = "buyer") -> "Buyer":
    buyer = running.buyer(mailbox)
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.mail(buyer.email)

    async def settled() -> bool:
        return await running.state("qr", buyer.order["order_id"]) == "sent"

    await running.stage.eventually(settled)
    return buyer


async def test_a_code_is_sent_again_once_for_each_key_and_so_often_a_day(start: "Start") -> None:
    running = await start(**KEYS)
    buyer = await delivered(running)
    order_id, number = buyer.order["order_id"], buyer.order["order_number"]
    async with client_of(running) as client:
        answers = await asyncio.gather(*(resend(client, order_id) for _ in range(8)))
        assert {answer.status_code for answer in answers} == {202}, answers[0].text
        [answer] = {answer.text for answer in answers}
        assert (await resend(client, number)).text == answer

        many = await asyncio.gather(*(resend(client, order_id, f"k{n}") for n in range(3 * SHOP_RESENDS_A_DAY)))
        codes = Counter(answer.status_code for answer in many)
        assert codes == {202: SHOP_RESENDS_A_DAY - 1, 429: 2 * SHOP_RESENDS_A_DAY + 1}
        refused = next(answer for answer in many if answer.status_code == 429)
        assert (refused.json()["type"], refused.headers["retry-after"]) == ("urn:problem:too-many-resends", "86400")
        assert running.metric("limits_reached_total", limit="resends") == codes[429]
        assert (await resend(client, order_id)).text == answer, "a repetition is not counted"
    assert await running.kinds(buyer.email, 1 + SHOP_RESENDS_A_DAY) == ["qr", *["resend"] * SHOP_RESENDS_A_DAY]
    [order] = await running.rows("SELECT resends FROM orders WHERE order_id = :id", id=order_id)
    assert order["resends"] == 0, "the buyer's own limit is another one"


async def test_a_code_that_cannot_be_sent_is_refused_with_the_reason(start: "Start") -> None:
    running = await start(**KEYS)
    known, other = await delivered(running), await delivered(running, "other")
    erased, blocked, revoked = [await delivered(running, name) for name in ("erased", "blocked", "revoked")]
    await running.stage.publish(erased.erasure(), blocked.contact(later=1, blocked=True), revoked.revoked())

    async def applied() -> bool:
        rows = await running.rows(
            "SELECT (SELECT count(*) FROM contacts WHERE erased_at IS NOT NULL OR blocked) AS contacts,"
            " (SELECT count(*) FROM orders WHERE revoked_at IS NOT NULL) AS orders"
        )
        return rows == [{"contacts": 2, "orders": 1}]

    await running.stage.eventually(applied)
    async with client_of(running, "agent-key") as agent:
        for key in ("agent", "agent"):
            assert (await resend(agent, other.order["order_id"], key)).status_code == 202, "of any shop, once"
        assert (await resend(agent, erased.order["order_id"], "b")).json()["type"] == "urn:problem:buyer-erased"
    async with client_of(running) as client, client_of(running, "other-shop-key") as stranger:
        assert (await resend(client, known.order["order_id"])).status_code == 202
        assert (await resend(client, known.order["order_id"], "agent")).status_code == 202, "another caller's key"
        refusals = {
            "idempotency-key-reused": await resend(client, other.order["order_id"]),
            "unknown-order": await resend(client, uuid4(), "a"),
            "buyer-erased": await resend(client, erased.order["order_id"], "b"),
            "buyer-blocked": await resend(client, blocked.order["order_id"], "c"),
            "no-code": await resend(client, revoked.order["order_id"], "d"),
            "unknown-api-key": await client.post("/orders/1/resend", headers={"authorization": "Bearer x"}),
        }
        for kind, answer in refusals.items():
            assert answer.json()["type"] == f"urn:problem:{kind}"
        assert (await resend(stranger, other.order["order_id"], "e")).status_code == 404
        assert (await resend(client, "10' OR 1=1", "f")).status_code == 404
        assert (await client.post("/orders/1/resend")).status_code == 422
    assert await running.kinds(other.email, 2) == ["qr", "resend"]
