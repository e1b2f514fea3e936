"""A stranger orders under a buyer's address (I14): the way that once led to the buyer's codes, page and data, walked
again at the running product with nothing but a shop's ordinary API. Judged by mailboxes and phones.
"""

import re
from dataclasses import dataclass
from typing import Literal

import httpx
import pytest

from product.harness import Running
from product.judge import until
from product.shop import Buyer, Order
from sandbox.client import one_time_code
from shared.testing.documents import JsonObject, Row

OWN = "mallory@strangers.example"


@dataclass
class Stranger(Buyer):
    """Orders under the address of another, in capitals, with a phone of their own."""

    address: str = ""

    @property
    def email(self) -> str:
        return self.address.upper()

    @property
    def name(self) -> str:
        return "Mallory"

    @property
    def phone(self) -> str:
        return f"+7705{int(self.mark[9:], 16) % 10**7:07d}"


async def codes(running: Running, address: str) -> list[JsonObject]:
    """The mails with an activation code."""
    found = await running.sandbox.mails(to=address)
    return [mail for mail in found if mail["message_id"].partition("@")[0].endswith((".qr", ".resend"))]


async def page(running: Running, mail: JsonObject) -> tuple[str, httpx.Response]:
    """The order's page, as the link in the mail opens it."""
    path = re.search(r"/account/[\w-]+", mail["text"])
    assert path
    url = running.product.url("notifications") + path[0]
    return url, await running.shop.http.get(url)


async def shown(running: Running, mail: JsonObject) -> None:
    """The buyer has the page show the code, which proves the mailbox."""
    url, opened = await page(running, mail)
    form = re.search(r'name="form" value="([0-9a-f]+)"', opened.text)
    assert form
    assert (await running.shop.http.post(f"{url}/code", data={"form": form[1]})).status_code == 200


async def contact(running: Running, order: Order) -> list[Row]:
    sql = f"""SELECT b.name, b.email, b.phone, b.language, b.blocked, b.updated_at, b.proved_by
              FROM buyers b JOIN orders o USING (buyer_id) WHERE o.number = {int(order.number)}"""
    return [tuple(row) for row in await running.product.query("ordering", sql)]


async def post(running: Running, path: str, body: object) -> httpx.Response:
    url, auth = running.product.url("ordering") + path, running.shop.auth("esimka")
    return await running.shop.http.post(url, json=body, headers=auth)


@pytest.mark.parametrize("over", ["http", "kafka"])
@pytest.mark.parametrize("proved", [True, False])
async def test_a_strangers_order_leads_to_nothing_of_the_buyers(
    running: Running, over: Literal["http", "kafka"], proved: bool
) -> None:
    # given: a buyer with a code, whose mailbox may be proved
    victim = await running.shop.buy()
    await running.judge.statuses([victim], "delivered")
    [mail] = await codes(running, victim.buyer.email)
    if proved:
        await shown(running, mail)

        async def known() -> str:
            return "" if (await contact(running, victim))[0][-1] == "link" else "the mailbox is not proved"

        await until(known)
    before = await contact(running, victim)

    # when: a stranger orders under the buyer's address, and asks for a correction of the contact
    stranger = Stranger(address=victim.buyer.email)
    place = running.shop.place if over == "http" else running.shop.submit
    order = await place("esimka", stranger)
    asked = await post(running, f"/orders/{order.id}/contact-changes", {"email": OWN})
    assert asked.json()["sent_by"] == ("email" if proved else "sms")
    if not proved:
        # The stranger may correct the own order, and gets nothing with it.
        async def texted() -> str:
            return "" if await running.sandbox.texts(to=stranger.phone) else "no digits for the stranger's own order"

        await until(texted)
        [text] = await running.sandbox.texts(to=stranger.phone)
        code = one_time_code(text["text"])
        assert code
        done = await post(running, f"/confirmations/{asked.json()['confirmation_id']}", {"code": code})
        assert done.status_code == 200, done.text
    # Whatever follows from it has followed when a later order is delivered.
    await running.judge.statuses([await running.shop.buy()], "delivered")

    # then: the buyer's contact, code and page are as before, and nothing of them went elsewhere
    assert await contact(running, victim) == before
    # The mail server finds an address in whatever case, so this looks at the stranger's spelling of it too.
    assert await codes(running, victim.buyer.email) == [mail], "the code was mailed again"
    assert await codes(running, OWN) == [], "the buyer's code went to a stranger"
    if proved:
        assert await running.sandbox.texts(to=stranger.phone) == []
    assert (await page(running, mail))[1].status_code == 200, "the buyer's link is dead"
