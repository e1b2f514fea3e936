"""The example shop beside the whole product, in a real browser: from a plan to the QR code, a top-up and a refund."""

import html
import json
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from esim_fulfilment import Addresses, AsyncClient
from local_stack.example_shop import SHOP, shop_environment
from local_stack.http_probe import answers_ok
from local_stack.ports import free_port
from local_stack.processes import ManagedProcess
from product.harness import Running
from product.judge import header, matching_id, until
from product.running import READY_SECONDS
from sandbox.storefront import SUCCESS
from shared.testing.browser import Page, browser
from shared.testing.documents import JsonObject

#: In the tests' product the buyers of `e-sim-onl` wait for the operator for 2 s only; `make up` has no such limit.
STOREFRONT = "esimka"
#: A step may wait for the operator, a mail and a webhook on a busy machine.
PATIENCE_MS = 60_000


@dataclass
class ExampleShop:
    """The shop as a process of its own."""

    url: str
    port: int
    process: ManagedProcess
    running: Running

    async def start(self) -> None:
        self.process.start()
        await self.process.wait_ready(lambda: answers_ok(self.port, SHOP.ready_path), READY_SECONDS, port=self.port)

    async def mails_of(self, email: str, kind: str = "qr") -> list[JsonObject]:
        """The mails of this kind: `qr` has the code."""
        mails = await self.running.sandbox.mails(to=email)
        return [mail for mail in mails if header(mail, "Message-ID").partition("@")[0].endswith(f".{kind}")]

    async def shows_the_code(self, page: Page, email: str) -> None:
        """From the shop's link to the code on the account page, by the link that is sent to the mailbox (PO 3.4)."""
        await page.click("#account")
        await page.arrive("**/account/orders/**")
        await page.click("button")
        await page.arrive("**/account/orders/**said=link")

        async def no_mail() -> str:
            return "" if await self.mails_of(email, "link") else "no mail with the link"

        await until(no_mail)
        [mail] = await self.mails_of(email, "link")
        (link,) = set(re.findall(r"http://\S+/account/[\w-]+", mail["text"]))
        await page.goto(link)
        await page.click("#code button")
        await page.wait("img.qr")


@pytest.fixture
async def shop(running: Running) -> AsyncIterator[ExampleShop]:
    site = running.product.site
    site.ports["shop"] = free_port()
    made = ExampleShop(site.url("shop"), site.ports["shop"], running.product.beside(SHOP), running)
    made.process.environment |= shop_environment(site, STOREFRONT)
    await made.start()
    yield made
    await made.process.stop()
    async with client_of(running) as client:
        for endpoint in await client.webhook_endpoints():
            await client.delete_webhook_endpoint(endpoint.endpoint_id)


def client_of(running: Running) -> AsyncClient:
    known = shop_environment(running.product.site, STOREFRONT)
    http = httpx.AsyncClient(trust_env=False, timeout=30)
    return AsyncClient(known["ESIM_API_KEY"], Addresses.from_environment(known), http=http)


async def pay_at_the_bank(page: Page) -> None:
    """From the shop's page to the bank's and back."""
    await page.click("#pay")
    await page.arrive("**/epay/payform/page")
    await page.fill("#number", SUCCESS.number)
    await page.fill("#exp", SUCCESS.exp)
    await page.fill("#cvc", SUCCESS.cvc)
    await page.click("#pay")
    await page.arrive("**/orders/*")


async def becomes(page: Page, status: str) -> None:
    """The open page says so by itself: a mark on its window would not survive a reload."""
    await page.evaluate("window.mark = 'the same page'")
    await page.wait(f"#status[data-status={status}]")
    assert await page.evaluate("window.mark") == "the same page"


async def lists(page: Page, *types: str) -> None:
    """The open page comes to list these webhooks; the shop may ask for the order's status before they arrive."""
    await page.driven.wait_for_function(
        "types => { const shown = Array.from(document.querySelectorAll('#webhooks code'), code => code.textContent);"
        " return types.every(type => shown.includes(type)) }",
        arg=list(types),
    )


async def test_from_a_plan_to_the_code_a_top_up_and_the_money_back(running: Running, shop: ExampleShop) -> None:
    account_pages = running.product.site.url("notifications")
    email = f"anna{secrets.token_hex(6)}@buyers.example"
    async with browser(width=390, height=844) as page:
        page.driven.set_default_timeout(PATIENCE_MS)
        await page.goto(shop.url)
        await page.fill("#q", "turk")
        await page.driven.keyboard.press("Enter")
        await page.click("a[href='/plans/tr-5gb-30d']")
        # The form by keyboard alone.
        await page.driven.focus("#name")
        for text in ("Anna Berg", email, "+4915112345678"):
            await page.driven.keyboard.type(text)
            await page.driven.keyboard.press("Tab")
        await page.driven.keyboard.press("Space")
        await page.driven.focus("#documents")
        await page.driven.keyboard.press("Space")
        await page.driven.keyboard.press("Enter")
        await page.arrive("**/pay")
        assert not await page.scrolls_sideways()

        await pay_at_the_bank(page)
        address = page.url
        await becomes(page, "delivered")
        [mail] = await shop.mails_of(email)
        [profile] = [one for one in await running.judge.new_profiles() if one["matchingId"] == matching_id(mail)]
        assert profile["state"] == "released"
        await lists(page, "order.accepted", "order.paid")
        assert not await page.scrolls_sideways()

        await shop.shows_the_code(page, email)
        await page.goto(address)
        await page.click("#top-up")
        await page.click("#order")
        await page.arrive("**/pay")
        await pay_at_the_bank(page)
        await becomes(page, "topped_up")

        await page.goto(address)
        await page.click("#refund")
        await page.click("input[value=changed_mind]")
        await page.click("#ask")
        await page.arrive(address)
        await becomes(page, "refunded")
        await lists(page, "refund.settled")
        await page.goto(f"{shop.url}/orders")
        assert await page.evaluate("document.querySelectorAll('li.sheet').length") == 2
        assert page.errors == []
        asked = {urlsplit(url).netloc for url in page.requests}
    assert asked == {urlsplit(url).netloc for url in (shop.url, running.sandbox.http_url, account_pages)}

    # The ledgers: paid twice, the eSIM's price back; the operator has that one profile, which works no longer.
    charges = [one for one in await running.sandbox.ledger_bank() if one["email"] == email and one["captured"]]
    assert sorted(bool(one["refunded"]) for one in charges) == [False, True]
    states = {one["iccid"]: one["state"] for one in await running.judge.new_profiles()}
    assert states[profile["iccid"]] == "cancelled"


async def test_a_shop_that_was_down_shows_the_same_and_gets_the_webhooks_later(
    running: Running, shop: ExampleShop
) -> None:
    email = f"bo{secrets.token_hex(6)}@buyers.example"
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False, timeout=30, follow_redirects=True) as buyer:
        form = {"basket": secrets.token_urlsafe(18), "name": "Bo", "email": email, "phone": "+4915112345678"}
        page = await buyer.post("/plans/tr-5gb-30d", data={**form, "device": "yes", "documents": "yes"})
        (data,) = re.findall(r'data-payment="([^"]*)"', page.text)
        address = str(page.url).removesuffix("/pay")
        await shop.process.stop()

        await running.sandbox.pay(json.loads(html.unescape(data)))

        async def no_mail() -> str:
            return "" if await shop.mails_of(email) else "no mail with the code"

        await until(no_mail)
        await shop.start()

        async def missing() -> str:
            part = (await buyer.get(f"{address}/part")).text
            return "; ".join(
                text for text in ('data-status="delivered"', "order.paid", "order.delivered") if text not in part
            )

        await until(missing)


async def test_a_device_is_found_and_a_plan_in_each_language(shop: ExampleShop) -> None:
    async with httpx.AsyncClient(base_url=shop.url, trust_env=False, timeout=30) as buyer:
        assert "iPhone XS" in (await buyer.get("/device", params={"q": "iphone xs"})).text
        for language, place in (("en", "Turkey"), ("ru", "Турция"), ("kk", "Түркия")):
            page = await buyer.get("/", params={"q": place[:3]}, headers={"Accept-Language": language})
            assert place in page.text
