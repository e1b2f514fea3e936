"""postLink and failurePostLink, and what can go wrong with them (docs/wire/epay.md)."""

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from sandbox import storefront
from sandbox.storefront import Card
from sandbox.testing import JsonObject, RunningSandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


COMMON = {
    "id", "invoiceId", "code", "reason", "reasonCode", "amount", "currency", "terminal", "accountId",
    "description", "language", "name", "email", "phone", "dateTime", "reference", "issuer", "cardMask",
    "cardType", "secure", "secureDetails", "secret_hash", "ip", "ipCountry", "ipCity",
}  # fmt: skip


async def buy(sb: RunningSandbox, shop: "Shop", invoice_id: str = "123456", card: Card = storefront.SUCCESS) -> str:
    payment = await sb.payment_object(
        invoice_id,
        4990.5,
        secret_hash="s3cret",
        postLink=f"{shop.url}/paid",
        failurePostLink=f"{shop.url}/failed",
    )
    return (await sb.pay(payment, card)).transaction_id


async def webhook_state(sb: RunningSandbox) -> JsonObject:
    await asyncio.wait_for(sb.webhooks_idle(), 30)
    (entry,) = await sb.ledger_bank()
    state: JsonObject = entry["webhook"]
    return state


async def test_success_calls_post_link(sb: RunningSandbox, shop: "Shop") -> None:
    identity = await buy(sb, shop)
    body = await shop.webhook()
    assert shop.paths == ["/paid"]
    assert set(body) >= COMMON | {"approvalCode", "cardId"}
    assert (body["id"], body["invoiceId"], body["code"]) == (identity, "123456", "ok")
    assert (body["amount"], body["currency"], body["reasonCode"]) == (4990.5, "KZT", 0)
    assert (body["secret_hash"], body["secure"]) == ("s3cret", "yes")
    assert body["terminal"] == "67e34d63-102f-4bd1-898e-370781d0074d"
    state = await webhook_state(sb)
    assert (state["state"], state["attempts"]) == ("delivered", 1)


async def test_failure_calls_failure_post_link(sb: RunningSandbox, shop: "Shop") -> None:
    await buy(sb, shop, card=storefront.INSUFFICIENT_FUNDS)
    body = await shop.webhook()
    assert shop.paths == ["/failed"]
    assert set(body) >= COMMON | {"invoiceIdAlt", "tokenRecipient"}
    assert (body["code"], body["reasonCode"]) == ("error", 484)


async def test_a_payment_in_progress_is_reported_when_it_ends(sb: RunningSandbox, shop: "Shop") -> None:
    await buy(sb, shop, card=storefront.IN_PROGRESS)
    assert (await webhook_state(sb))["state"] == "none"
    await sb.settle("123456", "FAILED", reasonCode=491)
    assert (await shop.webhook())["reasonCode"] == 491


async def test_it_is_sent_again_until_200(sb: RunningSandbox, shop: "Shop") -> None:
    shop.answers.extend([500, 404, 202])
    await buy(sb, shop)
    bodies = [await shop.webhook() for _ in range(4)]
    assert all(body == bodies[0] for body in bodies)
    state = await webhook_state(sb)
    assert (state["state"], state["attempts"]) == ("delivered", 4)


@pytest.mark.parametrize("link", ["http://127.0.0.1:1/x", "nonsense", "http://[::bad"])
async def test_an_unreachable_shop_is_no_error_of_the_page(sb: RunningSandbox, link: str) -> None:
    paid = await sb.pay(await sb.payment_object("123456", 100, postLink=link))
    assert paid.status == "CHARGE"


async def test_drop(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "drop", "match": {"invoiceID": "123456"}})
    await buy(sb, shop)
    assert (await webhook_state(sb))["state"] == "dropped"
    await sb.resend_webhook("123456")
    assert (await shop.webhook())["code"] == "ok"
    assert len(shop.paths) == 1


async def test_duplicate(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "duplicate", "count": 3})
    await buy(sb, shop)
    await webhook_state(sb)
    assert len(shop.paths) == 3


async def test_lost_reply_means_it_comes_again(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "lose_reply"})
    await buy(sb, shop)
    await webhook_state(sb)
    assert len(shop.paths) == 2


async def test_forge_sends_a_forged_one_and_then_the_genuine_one(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "forge", "fields": {"secret_hash": "x", "amount": 1}})
    await buy(sb, shop)
    forged, genuine = await shop.webhook(), await shop.webhook()
    assert (forged["secret_hash"], forged["amount"]) == ("x", 1)
    assert (genuine["secret_hash"], genuine["amount"]) == ("s3cret", 4990.5)


async def test_partial_body_then_the_whole_one(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "partial_body"})
    await buy(sb, shop)
    with pytest.raises(json.JSONDecodeError):
        await shop.webhook()
    assert (await shop.webhook())["code"] == "ok"


async def test_delay(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.faults({"target": "bank.webhook", "effect": "delay", "seconds": 0.2})
    started = asyncio.get_running_loop().time()
    await buy(sb, shop)
    await shop.webhook()
    assert asyncio.get_running_loop().time() - started >= 0.2


async def test_resend_altered_to_another_address(sb: RunningSandbox, shop: "Shop") -> None:
    await sb.pay(await sb.payment_object("123456", 100))
    with pytest.raises(RuntimeError, match="409"):
        await sb.resend_webhook("123456")
    await sb.resend_webhook("123456", url=f"{shop.url}/elsewhere", fields={"amount": 1}, times=2)
    assert [(await shop.webhook())["amount"] for _ in range(2)] == [1, 1]
    assert shop.paths == ["/elsewhere", "/elsewhere"]


async def test_a_reset_ends_retries(sb: RunningSandbox, shop: "Shop") -> None:
    shop.answers.extend([500] * 50)
    await buy(sb, shop)
    await shop.webhook()
    await sb.reset()
    await asyncio.wait_for(sb.webhooks_idle(), 10)
    assert await sb.ledger_bank() == []
