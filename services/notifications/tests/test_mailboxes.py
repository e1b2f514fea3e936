"""Whose a mailbox is (I14): links prove it, newsletters need its word, its spelling does not count."""

import random
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from notifications.app import new_links
from notifications.emails.rules.texts import texts
from shared.contracts import MailboxProved, QrDelivered
from shared.ids import uuid7
from shared.testing.documents import FieldValue, Json, JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

    from shared.testing.stand_in import StandIn

KEYS = {"storefront_keys": {"esimka": "shop-key"}}
LETTERS = {"en": {"subject": "Spring", "text": "News."}}


@dataclass
class Page:
    """An order's page in the hands of who was mailed its link."""

    http: httpx.AsyncClient
    path: str

    async def get(self) -> httpx.Response:
        return await self.http.get(self.path)

    async def press(self, button: str) -> httpx.Response:
        found = re.search(r'name="form" value="([0-9a-f]+)"', (await self.get()).text)
        assert found
        return await self.http.post(f"{self.path}/{button}", data={"form": found[1]})


def page_of(running: "Notifications", http: httpx.AsyncClient, buyer: "Buyer", email: str | None = None) -> Page:
    links = new_links(running.settings)
    return Page(http, urlsplit(links.account(buyer.order_id, email or buyer.email, buyer.now)).path)


@asynccontextmanager
async def client(running: "Notifications") -> AsyncIterator[httpx.AsyncClient]:
    async with running.http() as http:
        yield http


async def known(running: "Notifications", *buyers: "Buyer", **contact: FieldValue) -> None:
    """Orders that are paid and delivered."""
    for buyer in buyers:
        await running.stage.publish(buyer.contact(**contact), buyer.paid(), buyer.generated())
    orders = [buyer.order_id for buyer in buyers]
    await running.stage.events(QrDelivered, count=len(buyers), where=lambda event: event.order_id in orders)


async def applied(running: "Notifications", event_id: UUID) -> None:
    sql = "SELECT 1 FROM inbox WHERE event_id = :id"
    await running.until_rows(sql, id=event_id)


async def newest(running: "Notifications", buyer: "Buyer", column: str, value: object) -> None:
    sql = f"SELECT 1 FROM contacts WHERE buyer_id = :b AND {column} = :v"
    await running.until_rows(sql, b=buyer.buyer_id, v=value)


async def newsletter(running: "Notifications", http: httpx.AsyncClient, key: str) -> int:
    """How many get it."""
    headers = {"authorization": "Bearer shop-key", "idempotency-key": key}
    sent = await http.post("/newsletters", json={"storefront": "esimka", "letters": LETTERS}, headers=headers)
    assert sent.status_code == 202, sent.text

    async def ended() -> Json:
        path = f"/newsletters/{sent.json()['newsletter_id']}"
        found = (await http.get(path, headers=headers)).json()
        return found if found["planned_at"] is not None and not found["left"] else None

    return int((await running.stage.eventually(ended))["sent"])


async def test_a_button_proves_the_mailbox_once_and_opening_the_page_does_not(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await known(running, buyer)
    async with client(running) as http:
        page = page_of(running, http, buyer)
        for _ in range(2):
            assert (await page.get()).status_code == 200
        assert await running.rows("SELECT 1 FROM outbox WHERE topic = 'notifications.mailbox-proved'") == []
        assert await running.stage.all_events(MailboxProved) == []
        assert (await http.post(f"{page.path}/code", data={"form": "0" * 32})).status_code == 404

        for _ in range(2):
            assert (await page.press("code")).status_code == 200
        [proved] = await running.stage.events(MailboxProved)
        assert (proved.event.buyer_id, proved.event.how) == (buyer.buyer_id, "link")
        assert proved.event.contact_at == buyer.contact().updated_at

        # Another contact, another proof: of the new address, by its own link.
        await running.stage.publish(buyer.contact("new@example.org", later=5))
        await newest(running, buyer, "email", "new@example.org")
        assert (await page.get()).status_code == 404
        await page_of(running, http, buyer, "new@example.org").press("code")
        [_, again] = await running.stage.events(MailboxProved, count=2)
        assert again.event.contact_at == buyer.contact(later=5).updated_at


async def test_the_same_mailbox_in_another_spelling_keeps_its_links_and_gets_no_code_again(start: "Start") -> None:
    running = await start()
    buyer = running.buyer("Zoë.Buyer")
    await known(running, buyer)
    await running.mail(buyer.email)
    async with client(running) as http:
        page = page_of(running, http, buyer)
        for later, spelled in enumerate((buyer.email.upper(), buyer.email.lower(), "Zoe\u0308.Buyer@example.org"), 1):
            await running.stage.publish(buyer.contact(spelled, later=later))
            await newest(running, buyer, "updated_at", buyer.contact(later=later).updated_at)
            assert (await page.get()).status_code == 200
    assert await running.rows("SELECT kind FROM mails") == [{"kind": "qr"}]


async def test_newsletters_need_the_mailboxs_word_and_an_order_that_asks_for_them_does_not_have_it(
    start: "Start",
) -> None:
    running = await start(**KEYS)
    victim = running.buyer("victim")
    stranger = running.buyer("VICTIM", buyer_id=uuid7(), order_id=uuid7())
    await known(running, victim, newsletter_asked=True)
    title = texts("en")["account"].get("news_title") or texts("en")["rights"]["news_title"]
    async with client(running) as http:
        mine, theirs = page_of(running, http, victim), page_of(running, http, stranger)
        assert await newsletter(running, http, "unconfirmed") == 0
        assert title in (await mine.get()).text
        assert (await mine.press("news")).status_code == 303
        assert title not in (await mine.get()).text
        assert await newsletter(running, http, "first") == 1

        # The mailbox does not want them any more; a stranger's order asks for them, twice.
        path = urlsplit(new_links(running.settings).unsubscribe(victim.buyer_id)).path
        assert (await http.post(path)).status_code == 200
        await known(running, stranger, newsletter_asked=True, newsletter=True)
        await theirs.press("code")
        assert await newsletter(running, http, "refused") == 0
        assert await running.rows("SELECT 1 FROM newsletter_suppressions WHERE buyer_id = :b", b=victim.buyer_id)

        # Its owner may think otherwise, on whatever page: one mailbox, one newsletter, under the same name.
        assert (await theirs.press("news")).status_code == 303
        rows = await running.rows("SELECT buyer_id FROM contacts WHERE newsletter")
        assert [row["buyer_id"] for row in rows] == [victim.buyer_id]


async def test_consent_stays_with_the_mailbox_and_ends_with_a_block(start: "Start") -> None:
    running = await start(**KEYS)
    moving, blocking = running.buyer("moving"), running.buyer("blocking")
    await known(running, moving, blocking, newsletter_asked=True)
    async with client(running) as http:
        for buyer in (moving, blocking):
            await page_of(running, http, buyer).press("news")
        assert len(await running.rows("SELECT 1 FROM contacts WHERE newsletter")) == 2
        await running.stage.publish(
            moving.contact("elsewhere@example.org", later=1, newsletter_asked=True),
            blocking.contact(later=1, blocked=True),
        )
        await newest(running, blocking, "blocked", value=True)
        await newest(running, moving, "email", "elsewhere@example.org")
        await running.stage.publish(blocking.contact(later=2, blocked=False))
        await newest(running, blocking, "blocked", value=False)
        assert await newsletter(running, http, "after") == 0


async def test_a_block_can_be_lifted_on_the_page_that_shows_it(start: "Start", ordering: "StandIn") -> None:
    running = await start(ordering_url=ordering.url, ordering_keys={"esimka": "shop-key"})
    buyer = running.buyer()
    await known(running, buyer)
    t = texts("en")["rights"]
    async with client(running) as http:
        page = page_of(running, http, buyer)
        assert t["data_block"] in (await page.get()).text
        await running.stage.publish(buyer.contact(later=1, blocked=True))
        await newest(running, buyer, "blocked", value=True)
        shown = (await page.get()).text
        assert t["data_unblock"] in shown
        assert t["data_block"] not in shown


async def test_what_becomes_of_a_strangers_orders_changes_nothing_of_the_victims(start: "Start") -> None:
    """I14, in orders by chance: contact, block, consent, link, page, mails and codes of who has the same address."""
    running = await start(resend_limit=3)
    victim = running.buyer("victim")
    await known(running, victim, newsletter_asked=True)
    await running.mail(victim.email)

    async def held(page: Page) -> JsonObject:
        tables = {
            table: await running.rows(f"SELECT * FROM {table} WHERE buyer_id = :b ORDER BY 1, 2", b=victim.buyer_id)
            for table in ("contacts", "orders", "mails", "newsletter_suppressions", "newsletter_recipients")
        }
        return {**tables, "page": (await page.get()).text}

    async with client(running) as http:
        mine = page_of(running, http, victim)
        await mine.press("news")
        before = await held(mine)
        for seed in range(8):
            chance = random.Random(seed)  # noqa: S311 - not for secrets
            spelled = chance.choice(["victim", "VICTIM", "Victim"])
            stranger = running.buyer(spelled, phone="+995555999999", name="Mallory", language="ru")
            theirs = page_of(running, http, stranger)
            facts = [
                stranger.contact(newsletter=True, newsletter_asked=True),
                stranger.contact(later=1, blocked=True),
                stranger.contact("mallory@example.net", later=2),
                stranger.contact(later=3),
                stranger.paid(),
                stranger.generated(),
                stranger.revoked(),
                stranger.held(),
                stranger.code(channel=chance.choice(["sms", "email"])),
                stranger.denied(),
                stranger.erasure(),
            ]
            chance.shuffle(facts)
            for fact in facts:
                [sent] = await running.stage.publish(fact)
                await applied(running, sent.id)
                await theirs.get()
                assert await held(mine) == before, (seed, facts)
