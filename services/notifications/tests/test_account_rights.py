"""The account page's forms for contact data, export, block and erasure: ordering decides, the page says it in words."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, get_args
from urllib.parse import parse_qs, urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from services.notifications.tests.conftest import PLAN, listed

from notifications.account.rules.tickets import Ticket, Tickets
from notifications.account.unpaid import unpaid_section
from notifications.app import new_links
from notifications.clients.ordering import OrderList
from notifications.emails import LocaleFormat, Storefront
from notifications.emails.rules.links import BadLinkError
from notifications.emails.rules.texts import texts
from ordering.timeline.models import Status
from shared.contracts import Language
from shared.ids import uuid7
from shared.kernel.privacy import page_proof
from shared.testing.documents import Json

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

    from shared.testing.stand_in import StandIn

ASKED = "018f0000-0000-7000-8000-000000000001"
PRIVACY_KEY = "a-privacy-key-of-tests"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")


def sent(channel: str) -> tuple[int, Json]:
    return 202, {"confirmation_id": ASKED, "request_id": ASKED, "sent_by": channel, "valid_minutes": 15}


def problem(status: int, kind: str, *fields: str) -> tuple[int, Json]:
    errors = [{"field": name, "message": "is not valid"} for name in fields]
    return status, {"type": f"urn:problem:{kind}", "status": status, "errors": errors}


def proof(*done: str) -> tuple[int, Json]:
    state = "done" if len(done) == len(SERVICES) else "running"
    kept = {"erased_at": "2026-11-20T12:00:05Z", "kept": ["accounts: tax law"]}
    return 200, {
        "request_id": ASKED,
        "kind": "erase",
        "state": state,
        "requested_at": "2026-11-20T12:00:00Z",
        "confirmed_at": "2026-11-20T12:00:04Z",
        "confirmed_by": "code by email",
        "services": dict.fromkeys(done, kept),
        "waiting_for": [],
    }


@pytest.mark.parametrize("language", get_args(Language))
def test_an_order_without_a_payment_says_how_to_pay_it_or_what_became_of_it(language: Language) -> None:
    store = Storefront("Shop", "a@b.example", "help@b.example", "UTC", "#000000", "Shop")
    pages = replace(store, payment_page="https://b.example/pay/{order_id}", site="https://b.example/")
    locale, t = LocaleFormat(language, ZoneInfo("UTC")), texts(language)["unpaid"]
    wanted = {
        "placed": (t["open"], f"https://b.example/pay/{ASKED}"),
        "payment_failed": (t["failed"], f"https://b.example/pay/{ASKED}"),
        "held": (t["held"], None),
        "refused": (t["refused"], None),
        "lapsed": (t["lapsed"], "https://b.example/"),
    }
    for status in (*Status, "unheard_of"):
        orders = OrderList.model_validate({"orders": [listed(status, NOW, order_id=ASKED)]}).orders
        section = unpaid_section(orders, uuid7(), pages, locale, NOW)
        if status not in wanted:
            assert section is None, "it is paid, or nobody knows"
            continue
        assert section is not None
        [order] = section.orders
        assert (order.text, order.link and order.link[1]) == wanted[status]
        plain = unpaid_section(orders, uuid7(), store, locale, NOW)
        assert plain is not None
        assert plain.orders[0].link is None
        assert (t["how"] in plain.orders[0].text) is (status in {"placed", "payment_failed"})
        assert unpaid_section(orders, UUID(ASKED), pages, locale, NOW) is None, "the page's own order"
        assert unpaid_section(orders, uuid7(), pages, locale, NOW + timedelta(days=31)) is None


@dataclass
class Browser:
    """Fills in the page's forms."""

    http: httpx.AsyncClient
    path: str
    running: "Notifications"
    buyer: "Buyer"

    async def page(self) -> str:
        return (await self.http.get(self.path)).text

    async def send(self, action: str, **fields: str) -> httpx.Response:
        found = re.search(r'name="form" value="([0-9a-f]+)"', await self.page())
        assert found
        return await self.http.post(f"{self.path}/{action}", data={"form": found[1], **fields})

    async def follow(self, answer: httpx.Response) -> str:
        assert answer.status_code == 303, answer.text
        shown = await self.http.get(answer.headers["location"])
        assert shown.status_code == 200
        return shown.text


def query(answer: httpx.Response) -> dict[str, str]:
    found = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in found.items()}


@asynccontextmanager
async def opened(start: "Start", ordering: "StandIn", language: str = "en") -> AsyncIterator[Browser]:
    running = await start(ordering_url=ordering.url, ordering_keys={"esimka": "shop-key"}, privacy_key=PRIVACY_KEY)
    buyer = running.buyer(language=language)
    await running.stage.publish(buyer.contact(), buyer.paid())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id)")
    links = new_links(running.settings)
    path = urlsplit(links.account(buyer.order_id, buyer.email, buyer.now)).path
    base = running.address
    async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
        yield Browser(http, path, running, buyer)


async def test_an_address_is_corrected_with_a_code_and_the_old_link_dies(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering) as tab:
        ordering.answers["contact-changes"] = sent("sms")
        answer = await tab.send("contact", email=" new@example.org ", phone="")
        line, head, body = ordering.asked[-1]
        assert line == f"POST /orders/{tab.buyer.order_id}/contact-changes"
        assert body == {"email": "new@example.org"}
        assert "authorization: bearer shop-key" in head
        assert "traceparent: 00-" in head
        shown = page_proof(SecretStr(PRIVACY_KEY), tab.buyer.order_id)
        assert f"x-account-page: {shown}" in head.lower(), "ordering sees that no shop asks"
        pending = query(answer)
        assert pending == {"code_for": ASKED, "purpose": "email", "by": "sms"}
        shown = await tab.follow(answer)
        t = texts("en")["rights"]
        assert t["enter_sms"] in shown
        assert "new@example.org" not in shown
        ordering.answers["confirmations"] = 200, {"purpose": "contact_change", "state": "done"}
        done = await tab.send("confirm", code="123 456", **pending)
        assert ordering.asked[-1][2] == {"code": "123456"}
        assert done.status_code == 200
        assert t["moved_link"] in done.text
        assert "support@esimka.example" in done.text
        await tab.running.stage.publish(tab.buyer.contact("new@example.org", later=1))

        async def dead() -> bool:
            return (await tab.http.get(tab.path)).status_code == 404

        await tab.running.stage.eventually(dead)
        bad = await tab.http.get(tab.path)
        assert "A link ends when the address is corrected" in bad.text


async def test_a_number_is_corrected_by_mail_and_the_page_stays(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering) as tab:
        ordering.answers |= {"contact-changes": sent("email"), "confirmations": (200, {})}
        answer = await tab.send("contact", phone="+995555000222")
        assert query(answer)["purpose"] == "phone"
        assert "b•••@example.org" in await tab.follow(answer)
        done = await tab.send("confirm", code="123456", **query(answer))
        assert texts("en")["rights"]["said_corrected"] in await tab.follow(done)


@pytest.mark.parametrize(
    ("language", "answer", "said"),
    [
        ("en", problem(422, "invalid-contact", "email"), "wrong_email"),
        ("ru", problem(422, "invalid-request", "phone"), "wrong_phone"),
        ("kk", problem(422, "invalid-contact", "body"), "nothing_new"),
        ("ka", problem(429, "too-many-codes"), "too_many"),
        ("en", problem(503, "codes-not-configured"), "not_now"),
        ("ru", (200, "no JSON"), "not_now"),
        ("kk", None, "not_now"),
        ("ka", problem(500, "internal-error"), "not_now"),
    ],
    ids=["email", "phone", "nothing", "too-many", "503", "gibberish", "hung-up", "500"],
)
async def test_refusals_are_said_in_words(
    start: "Start", ordering: "StandIn", language: Language, answer: tuple[int, Json] | None, said: str
) -> None:
    async with opened(start, ordering, language) as tab:
        ordering.answers["contact-changes"] = answer
        got = await tab.send("contact", email="x")
        assert query(got) == {"said": said}
        shown = await tab.follow(got)
        sentence = texts(language)["rights"][f"said_{said}"]
        assert sentence.partition("{")[0] in shown
        assert 'id="enter"' not in shown


@pytest.mark.parametrize(
    ("answer", "said", "again"),
    [
        (problem(403, "wrong-code"), "wrong_code", True),
        (problem(422, "invalid-request", "code"), "wrong_code", True),
        (problem(410, "code-expired"), "code_over", False),
        (problem(409, "already-confirmed"), "code_used", False),
        (problem(404, "unknown-confirmation"), "code_over", False),
        (None, "not_now", True),
    ],
)
async def test_a_code_that_is_not_taken(
    start: "Start", ordering: "StandIn", answer: tuple[int, Json] | None, said: str, *, again: bool
) -> None:
    async with opened(start, ordering) as tab:
        ordering.answers["requests"] = sent("email")
        pending = query(await tab.send("data", kind="erase"))
        ordering.answers["confirmations"] = answer
        got = await tab.send("confirm", code="000000", **pending)
        assert query(got)["said"] == said
        assert ('id="enter"' in await tab.follow(got)) is again


async def test_an_erasure_shows_its_proof_and_outlives_the_page(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering, "ru") as tab:
        t = texts("ru")["rights"]
        ordering.answers |= {"requests": sent("email"), "confirmations": (200, {}), ASKED: proof("ordering")}
        asked = await tab.send("data", kind="erase")
        assert ordering.asked[-1][2] == {"order": str(tab.buyer.order_id), "kind": "erase"}
        assert t["enter_button_erase"] in await tab.follow(asked)
        done = await tab.send("confirm", code="123456", **query(asked))
        running = await tab.follow(done)
        assert t["erasing_title"] in running
        assert 'http-equiv="refresh"' in running
        assert running.count(t["proof_waiting"]) == 4
        await tab.running.stage.publish(tab.buyer.erasure())
        await tab.running.until_rows("SELECT 1 FROM contacts WHERE erased_at IS NOT NULL")
        assert (await tab.http.get(tab.path)).status_code == 410
        ordering.answers[ASKED] = proof(*SERVICES)
        ended = await tab.follow(done)
        for wanted in (t["erased_title"], ASKED, t["proof_by_email"], "payments: accounts: tax law"):
            assert wanted in ended
        assert 'http-equiv="refresh"' not in ended
        for personal in (tab.buyer.email, tab.buyer.name, "10000001"):
            assert personal not in ended
        ordering.answers[ASKED] = None
        assert t["erasing_title"] in await tab.follow(done), "not known now: it looks again"
        last = "A" if done.headers["location"][-1] != "A" else "Q"
        assert (await tab.http.get(done.headers["location"][:-1] + last)).status_code == 404


async def test_an_export_needs_the_link_and_the_ticket(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering) as tab:
        ordering.answers |= {"requests": sent("email"), "confirmations": (200, {}), "export": (200, "<h1>all</h1>")}
        asked = await tab.send("data", kind="export")
        done = await tab.send("confirm", code="123456", **query(asked))
        shown = await tab.follow(done)
        [as_page, as_file] = re.findall(r'href="(/account/[^"]+/export/[^"]+)"', shown)
        page = await tab.http.get(as_page)
        assert page.text == "<h1>all</h1>"
        assert "script" not in page.headers["content-security-policy"]
        assert "accept: text/html" in ordering.asked[-1][1]
        file = await tab.http.get(as_file)
        assert "attachment" in file.headers["content-disposition"]
        assert file.headers["cache-control"] == "no-store"
        ticket = as_page.rpartition("/")[2]
        stranger = f"/account/{'x' * 70}/export/{ticket}"
        assert (await tab.http.get(stranger)).status_code == 404
        assert (await tab.http.get(f"{tab.path}/export/{ticket[:-2]}")).status_code == 404
        assert (await tab.http.get(f"/account/erasures/{ticket}")).status_code == 404
        ordering.answers["export"] = problem(503, "export-incomplete")
        assert texts("en")["rights"]["said_not_now"].partition("{")[0] in await tab.follow(await tab.http.get(as_page))


async def test_orders_without_a_payment_are_shown_to_who_reads_their_mailbox(
    start: "Start", ordering: "StandIn"
) -> None:
    async with opened(start, ordering) as tab:
        t = texts("en")["unpaid"]
        assert t["away"] in await tab.page(), "unknown is not none"
        plan = PLAN.model_copy(update={"title": "Europe <5> GB"})
        ordering.answers["orders"] = (200, {"orders": []})
        assert t["title"] not in await tab.page()
        ordering.answers["orders"] = (200, {"orders": [listed("placed", tab.buyer.now, plan=plan)]})
        shown = await tab.page()
        assert "20000002 · Europe &lt;5&gt; GB" in shown
        assert t["open"] in shown
        line, head, _ = ordering.asked[-1]
        assert line == "GET /orders?email=buyer%40example.org&limit=50"
        assert "authorization: bearer shop-key" in head


async def test_a_block_is_shown(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering) as tab:
        ordering.answers |= {"requests": sent("email"), "confirmations": (200, {})}
        asked = await tab.send("data", kind="block")
        done = await tab.send("confirm", code="123456", **query(asked))
        assert texts("en")["rights"]["said_blocked"] in await tab.follow(done)


async def test_only_the_page_itself_can_ask(start: "Start", ordering: "StandIn") -> None:
    async with opened(start, ordering) as tab:
        for action, fields in (
            ("contact", {"email": "x@example.org"}),
            ("data", {"kind": "erase"}),
            ("confirm", {"code": "123456", "code_for": ASKED, "purpose": "erase", "by": "email"}),
        ):
            assert (await tab.http.get(f"{tab.path}/{action}")).status_code == 405
            assert (await tab.http.post(f"{tab.path}/{action}", data=fields)).status_code == 404
            forged = await tab.http.post(f"{tab.path}/{action}", data={**fields, "form": "0" * 32})
            assert forged.status_code == 404
        assert (await tab.send("data", kind="export_all")).status_code == 404
        assert (await tab.send("confirm", code="1", code_for="x", purpose="erase", by="email")).status_code == 404
        assert [line for line, _, _ in ordering.asked if not line.startswith("GET /orders?")] == []
        strange = await tab.http.get(f"{tab.path}?code_for=<b>&purpose=erase&by=email&export=%22%3E%3Cscript%3E")
        assert strange.status_code == 200
        assert "<script>" not in strange.text
        assert 'id="enter"' not in strange.text


async def test_without_ordering_the_sections_are_not_there(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id)")
    path = urlsplit(new_links(running.settings).account(buyer.order_id, buyer.email, buyer.now)).path
    async with running.http() as http:
        shown = (await http.get(path)).text
        assert 'id="contact"' not in shown
        assert 'id="data"' not in shown
        assert (await http.post(f"{path}/data", data={"kind": "erase"})).status_code in {404, 405}


@given(st.integers(0, 10_000), st.sampled_from(["export", "erase"]), st.sampled_from(["en", "ru", "kk", "ka"]))
def test_a_ticket_is_read_as_it_was_made_and_ends(hours: int, kind: str, language: Language) -> None:
    tickets = Tickets(bytes(32))
    ticket = Ticket(uuid7(), kind, "qazaq-esim", language)
    over = NOW + timedelta(hours=hours)
    text = tickets.make(ticket, over)
    assert tickets.read(text, kind, NOW) == ticket
    for bad in (text[:-1], text + "A", "", "é", text.swapcase()):
        with pytest.raises(BadLinkError):
            tickets.read(bad, kind, NOW)
    with pytest.raises(BadLinkError):
        tickets.read(text, kind, over + timedelta(hours=1, seconds=1))
    with pytest.raises(BadLinkError):
        tickets.read(text, "erase" if kind == "export" else "export", NOW)
    with pytest.raises(BadLinkError):
        Tickets(b"1" * 32).read(text, kind, NOW)


def test_a_ticket_names_nobody() -> None:
    text = Tickets(bytes(32)).make(Ticket(UUID(ASKED), "erase", "esimka", "en"), NOW)
    assert len(text) < 90
