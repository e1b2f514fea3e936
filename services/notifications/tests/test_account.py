"""The account page: what it shows, what counts as a delivery, and what a stranger gets."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from shared.account_entry import entry_path
from shared.contracts import QrDelivered
from shared.testing.documents import FieldValue, JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

LINK = re.compile(r"http://[^\s\"]+/account/[\w-]+")


@asynccontextmanager
async def _client(running: "Notifications") -> AsyncIterator[httpx.AsyncClient]:
    async with running.http() as client:
        yield client


def _link(mail: JsonObject) -> str:
    """The path of the account link in a mail."""
    found = LINK.search(mail["text"])
    assert found
    assert found[0] in mail["html"]
    return urlsplit(found[0]).path


def _form(page: str) -> dict[str, str]:
    found = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert found
    return {"form": found[1]}


async def _known(running: "Notifications", **changes: FieldValue) -> tuple["Buyer", str]:
    """A buyer whose order is paid and delivered, and the path of their page."""
    buyer = running.buyer(**changes)
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated(confirmation_code="4471"))
    [mail] = await running.mail(buyer.email)
    await running.until_rows("SELECT 1 FROM orders WHERE delivered_at IS NOT NULL")
    return buyer, _link(mail)


def _path(running: "Notifications", buyer: "Buyer", email: str | None = None) -> str:
    """The page of an order, as a mail would link it."""
    from notifications.app import new_links  # noqa: PLC0415 - only where no mail has come

    links = new_links(running.settings)
    return urlsplit(links.account(buyer.order_id, email or buyer.email, buyer.now)).path


async def test_the_page_says_how_things_stand_and_hides_the_code(start: "Start") -> None:
    running = await start()
    buyer, path = await _known(running, name="<b>Ann</b>")
    await running.stage.publish(buyer.receipt(), buyer.observed(used=2**30, activated_at=buyer.now))
    await running.until_rows("SELECT 1 FROM orders WHERE usage_at IS NOT NULL")
    async with _client(running) as client:
        answer = await client.get(path)
        assert answer.status_code == 200
        for wanted in (
            "Your eSIM is installed",
            "10000001",
            "12,990.00\u00a0KZT",
            "1\u00a0GB of 5\u00a0GB",
            'lang="en"',
        ):
            assert wanted in answer.text
        for secret in ("QQ7SECRET", "4471", "LPA:1$", "buyer@example.org", "<b>", "data:image"):
            assert secret not in answer.text
        assert "b•••@example.org" in answer.text
        headers = answer.headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert " style=" not in answer.text
        assert not re.search(r"<script(?! src=)|\son\w+=", answer.text)


async def test_only_the_button_is_a_delivery_and_the_first_one_counts(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.until_rows("SELECT 1 FROM mails WHERE kind = 'qr'")
    path = _path(running, buyer)
    async with _client(running) as client:
        page = await client.get(path)
        await client.head(path)
        await client.get(f"{path}/code")
        assert (await client.post(f"{path}/code")).status_code == 404
        assert (await client.post(f"{path}/code", data={"form": "0" * 32})).status_code == 404
        assert await running.rows("SELECT 1 FROM orders WHERE shown_at IS NOT NULL OR delivered_at IS NOT NULL") == []
        for _ in range(2):
            shown = await client.post(f"{path}/code", data=_form(page.text))
            assert shown.status_code == 200
            for wanted in (buyer.lpa, "data:image/png", "esimsetup.apple.com", "esimsetup.android.com", "internet"):
                assert wanted in shown.text
            assert shown.headers["cache-control"] == "no-store"
    [delivered] = await running.stage.events(QrDelivered)
    assert delivered.event.channel == "account"
    await running.sandbox.clear_faults()
    await running.mail(buyer.email)
    await running.until_rows("SELECT 1 FROM mails WHERE kind = 'qr' AND state = 'sent'")
    assert len(await running.stage.all_events(QrDelivered)) == 1


async def test_strangers_learn_nothing(start: "Start") -> None:
    running = await start()
    _, path = await _known(running)
    other, other_path = await _known(running, mailbox="other")
    token = path.removeprefix("/account/")
    last = "A" if token[-1] != "A" else "E"
    async with _client(running) as client:
        good = await client.get(path)
        for bad in (
            f"/account/{token[:-1]}{last}",
            f"/account/{token[:20]}{other_path.removeprefix('/account/')[20:]}",
            f"/account/{'x' * 90}",
            "/account/%00",
            "/account/..%2f..%2fetc",
            _path(running, running.buyer()),
            _path(running, other, "somebody@else.example"),
        ):
            answer = await client.get(bad)
            assert answer.status_code == 404, bad
            assert "10000001" not in answer.text
            assert "ბმული" in answer.text or answer.headers["content-type"].startswith("application/problem")
        assert (await client.post(f"{other_path}/code", data=_form(good.text))).status_code == 404
        assert (await client.get(f"/account/{'x' * 5000}")).status_code in {404, 422}


async def test_the_entry_has_a_link_sent_to_the_mailbox_and_shows_nothing_of_the_order(start: "Start") -> None:
    """I14: whoever has the address of the entry, a shop for one, gets nothing by it."""
    running = await start()
    buyer, _ = await _known(running, name="Ann")
    await running.stage.publish(buyer.contact(later=1, blocked=True))
    await running.until_rows("SELECT 1 FROM contacts WHERE blocked")
    entry = entry_path("esimka", buyer.order_id)
    others = (entry_path("esimka", running.buyer().order_id), entry_path("e-sim-onl", buyer.order_id))
    async with _client(running) as client:
        client.headers["accept-language"] = "fr-FR, ru-RU;q=0.9, en;q=0.5"
        pages = {}
        for path in (entry, *others):
            assert (await client.head(path)).status_code == 200
            pages[path] = [(await client.get(path)).text]
            # Pressed twice: once in a minute is enough.
            answers = [await client.post(path) for _ in range(2)]
            assert {(answer.status_code, answer.headers["location"]) for answer in answers} == {
                (303, f"{path}?said=link")
            }
            pages[path].append((await client.get(f"{path}?said=link")).text)
        for page in pages[entry]:
            assert '<html lang="ru">' in page
            assert not {secret for secret in ("10000001", "Ann", "example.org", "•", "{") if secret in page}
        assert pages[entry] == [page.replace(others[0], entry) for page in pages[others[0]]]
        mails = await running.mail(buyer.email, 2)
        assert await running.kinds(buyer.email, 2) == ["link", "qr"]
        [sent] = [mail for mail in mails if ".link@" in mail["message_id"]]
        assert "10000001" in (await client.get(_link(sent))).text
        assert (await client.get(entry_path("nobody", buyer.order_id))).status_code == 404
        assert (await client.get("/account/orders/esimka/10000001")).status_code == 422
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE mails SET created_at = created_at - interval '1 hour' WHERE kind = 'link'")
            await tx.execute(
                "UPDATE contacts SET email = NULL, erased_at = now() WHERE buyer_id = :b", b=buyer.buyer_id
            )
        assert (await client.post(entry)).status_code == 303
    assert len(await running.rows("SELECT 1 FROM mails WHERE kind = 'link'")) == 1


async def test_orders_are_found_by_their_mailbox_and_nothing_is_shown(start: "Start") -> None:
    """I14: the page answers the same for every address."""
    running = await start()
    buyer, _ = await _known(running)
    async with _client(running) as client:
        assert 'type="email"' in (await client.get("/account/orders/esimka")).text
        for address in (f" {buyer.email.upper()} ", "nobody@example.org"):
            sent = await client.post("/account/orders/esimka", data={"email": address})
            assert (sent.status_code, sent.headers["location"]) == (303, "/account/orders/esimka?said=link")
            assert "example.org" not in (await client.get(sent.headers["location"])).text
        for wrong in ("", "x", "a@b\x00"):
            sent = await client.post("/account/orders/esimka", data={"email": wrong})
            assert sent.headers["location"] == "/account/orders/esimka?said=wrong_email"
        assert (await client.post("/account/orders/e-sim-onl", data={"email": buyer.email})).status_code == 303
        assert (await client.get("/account/orders/nobody")).status_code == 404
    assert await running.kinds(buyer.email, 2) == ["link", "qr"]
    assert len(await running.rows("SELECT 1 FROM mails WHERE kind = 'link'")) == 1


async def test_the_entry_sends_a_few_links_a_day(start: "Start") -> None:
    running = await start(resend_gap_seconds=0.001)
    buyer, _ = await _known(running)
    async with _client(running) as client:
        await asyncio.gather(*(client.post(entry_path("esimka", buyer.order_id)) for _ in range(30)))
        for _ in range(5):
            await client.post(entry_path("esimka", buyer.order_id))
    assert await running.kinds(buyer.email, 6) == [*["link"] * 5, "qr"]
    assert len(await running.rows("SELECT 1 FROM mails WHERE kind = 'link'")) == 5


async def test_an_erased_buyer_has_no_page(start: "Start") -> None:
    running = await start()
    buyer, path = await _known(running)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE contacts SET email = NULL, erased_at = now() WHERE buyer_id = :b", b=buyer.buyer_id)
    async with _client(running) as client:
        assert (await client.get(path)).status_code == 410


async def test_a_corrected_address_ends_the_old_link(start: "Start") -> None:
    running = await start()
    buyer, path = await _known(running)
    await running.stage.publish(buyer.contact("right@example.org", later=1))
    [mail] = await running.mail("right@example.org")
    async with _client(running) as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.get(_link(mail))).status_code == 200


async def test_a_thousand_resends_are_a_few(start: "Start") -> None:
    running = await start(resend_gap_seconds=0.001, resend_limit=2)
    buyer, path = await _known(running)
    async with _client(running) as client:
        form = _form((await client.get(path)).text)
        answers = await asyncio.gather(*(client.post(f"{path}/resend", data=form) for _ in range(60)))
        said = {answer.headers["location"].rpartition("said=")[2] for answer in answers}
        assert {answer.status_code for answer in answers} == {303}
        assert said <= {"resent", "wait", "limit"}
        assert "limit" in said
        page = await client.get(answers[-1].headers["location"])
        assert "The code" in page.text
    assert await running.kinds(buyer.email, 3) == ["qr", "resend", "resend"]


async def test_a_code_that_was_just_sent_is_not_sent_again(start: "Start") -> None:
    running = await start()
    _, path = await _known(running)
    async with _client(running) as client:
        form = _form((await client.get(path)).text)
        answer = await client.post(f"{path}/resend", data=form)
        assert answer.headers["location"].endswith("said=wait")


async def test_a_mailbox_that_refuses_is_named_on_the_page(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 550})
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.until_rows("SELECT 1 FROM mails WHERE state = 'refused'")
    async with _client(running) as client:
        page = (await client.get(_path(running, buyer))).text
        assert "Our mail did not reach you" in page
        assert 'role="alert"' in page
        assert "550" in page
        assert "Show my code" in page


async def test_a_profile_out_of_use_has_no_button(start: "Start") -> None:
    running = await start()
    buyer, path = await _known(running)
    async with _client(running) as client:
        form = _form((await client.get(path)).text)
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE orders SET revoked_at = now() WHERE order_id = :o", o=buyer.order_id)
        page = await client.get(path)
        assert "This eSIM is out of use" in page.text
        assert "Show my code" not in page.text
        gone = await client.post(f"{path}/code", data=form)
        assert gone.status_code == 200
        assert buyer.lpa not in gone.text


async def test_the_page_follows_an_order_in_progress(start: "Start") -> None:
    running = await start()
    buyer = running.buyer(language="ru")
    await running.stage.publish(buyer.contact(), buyer.paid())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id)")
    path = _path(running, buyer)
    async with _client(running) as client:
        page = (await client.get(path)).text
        assert "Готовим вашу eSIM" in page
        events = re.search(r'data-live="([^"]+)"', page)
        assert events
        async with client.stream("GET", events[1], timeout=20) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            await running.stage.publish(buyer.generated())
            lines = [line async for line in stream.aiter_lines()]
        seen = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
        assert seen[0] == "changed"
        assert seen[-1] == "settled"
        page = (await client.get(path)).text
        assert "Ваша eSIM готова" in page
        assert "data-live" not in page


async def test_pages_that_follow_do_not_hold_up_the_stop(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid())
    await running.until_rows("SELECT 1 FROM orders JOIN contacts USING (buyer_id)")
    async with _client(running) as client:
        path = _path(running, buyer)
        async with client.stream("GET", f"{path}/events", timeout=20) as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            running.service.leaving.set()
            async with asyncio.timeout(5):
                assert "event: settled" not in [line async for line in lines]


@pytest.mark.parametrize("language", ["en", "ru", "kk", "ka"])
async def test_assets_and_languages(start: "Start", language: str) -> None:
    running = await start()
    _, path = await _known(running, language=language, storefront="qazaq-esim")
    async with _client(running) as client:
        page = (await client.get(path)).text
        assert f'<html lang="{language}">' in page
        assert "{" not in page
        for asset in ("qazaq-esim.css", "plain.css", "live.js"):
            assert (await client.get(f"/account/assets/{asset}")).status_code == 200
        for bad in ("nobody.css", "account.css.bak", "..%2faccount.css"):
            assert (await client.get(f"/account/assets/{bad}")).status_code == 404
