"""Newsletters: to whom they go, once a day at most, and that a crash sends none twice."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

from local_stack.ports import free_port
from notifications.app import new_links
from shared.contracts import BuyerContact
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Notifications, Start

    from sandbox.testing import RunningSandbox

KEYS = {"storefront_keys": {"esimka": "shop-key", "qazaq-esim": "other-shop-key"}, "agent_keys": {"vera": "agent-key"}}
LETTERS = {
    "en": {"subject": "Spring in Turkey", "text": "# Cheaper now\n\n[Look](https://esimka.example/tr) at *this*."},
    "ru": {"subject": "Весна в Турции", "text": "Теперь дешевле."},
}


@asynccontextmanager
async def _client(running: "Notifications", key: str = "shop-key", port: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {key}"}
    url = f"http://127.0.0.1:{port or running.service.port}"
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, headers=headers) as client:
        yield client


async def _send(client: httpx.AsyncClient, key: str = "spring", **body: object) -> httpx.Response:
    wanted = {"storefront": "esimka", "letters": LETTERS, **body}
    return await client.post("/newsletters", json=wanted, headers={"idempotency-key": key})


async def _ended(
    running: "Notifications", client: httpx.AsyncClient, answer: httpx.Response, *, seconds: float = 30
) -> Json:
    """The newsletter's progress, once nobody is left."""
    assert answer.status_code == 202, answer.text

    async def ended() -> Json:
        found = (await client.get(f"/newsletters/{answer.json()['newsletter_id']}")).json()
        return found if found["planned_at"] is not None and not found["left"] else None

    return await running.stage.eventually(ended, seconds)


async def _known(running: "Notifications", *contacts: BuyerContact) -> None:
    await running.stage.publish(*contacts)
    await running.until_rows("SELECT 1 FROM contacts HAVING count(*) >= :n", n=len({one.buyer_id for one in contacts}))
    # As who had agreed before 0005, or has pressed the button since (test_mailboxes.py).
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE contacts SET newsletter = true WHERE newsletter_asked")


async def _crowd(running: "Notifications", count: int) -> None:
    """So many buyers who agreed, as contacts would have made them."""
    async with running.service.database.transaction() as tx:
        await tx.execute(
            """INSERT INTO contacts (buyer_id, name, email, language, updated_at, phone, storefront, newsletter)
               SELECT gen_random_uuid(), 'Reader', 'reader' || n || '@example.org', 'en', now(), '+1', 'esimka', true
               FROM generate_series(1, :count) AS n""",
            count=count,
        )


def _header(mail: JsonObject, name: str) -> str:
    return str(next(value for key, value in mail["headers"] if key.lower() == name.lower()))


async def test_those_who_agreed_get_it_in_their_language_and_one_click_ends_it(start: "Start") -> None:
    running = await start(**KEYS, public_url="http://127.0.0.1:1/x")
    yes, russian, no, blocked, kazakh, elsewhere = (
        running.buyer("yes", name="<b>Ann</b>"),
        running.buyer("russian", language="ru"),
        running.buyer("no"),
        running.buyer("blocked"),
        running.buyer("kazakh", language="kk"),
        running.buyer("elsewhere", storefront="e-sim-onl"),
    )
    agreed = [buyer.contact(newsletter=True) for buyer in (yes, russian, kazakh, elsewhere)]
    await _known(running, *agreed, no.contact(), blocked.contact(newsletter=True, blocked=True))
    async with _client(running) as client:
        found = await _ended(running, client, await _send(client))
        assert (found["planned"], found["sent"], found["skipped"], found["failed"]) == (2, 2, 0, 0)
        assert (await running.sandbox.ledger_mail())["counts"]["messages"] == 2
        [mail], [other] = await running.mail(yes.email), await running.mail(russian.email)
        assert (mail["subject"], other["subject"]) == ("Spring in Turkey", "Весна в Турции")
        assert '<a href="https://esimka.example/tr">Look</a>' in mail["html"]
        assert "&lt;b&gt;Ann" in mail["html"]
        assert "[Look](https://esimka.example/tr)" in mail["text"]
        link = _header(mail, "List-Unsubscribe").strip("<>")
        assert _header(mail, "List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
        assert link in mail["text"]
        assert link in mail["html"]
    path = urlsplit(link).path.removeprefix("/x")
    async with running.http() as nobody:
        page = await nobody.get(path)
        assert page.status_code == 200
        assert '<form method="post"' in page.text
        assert await running.rows("SELECT 1 FROM newsletter_suppressions") == []
        for _ in range(2):
            one_click = await nobody.post(path, data={"List-Unsubscribe": "One-Click"})
            assert one_click.status_code == 200
        [row] = await running.rows("SELECT buyer_id, reason FROM newsletter_suppressions")
        assert row == {"buyer_id": yes.buyer_id, "reason": "unsubscribed"}
        assert "You are unsubscribed" in (await nobody.get(path)).text
        for bad in (path[:-1], path[:-4] + "AAAA", path.replace("/unsubscribe/", "/account/")):
            assert (await nobody.get(bad)).status_code == 404
        # The consent of the contact does not bring it back; the button does.
        await running.stage.publish(yes.contact(newsletter=True, later=5))
        async with _client(running) as client:
            assert (await nobody.post(path, data={"again": "1"})).status_code == 200
            assert await running.rows("SELECT 1 FROM newsletter_suppressions") == []
            assert (await _ended(running, client, await _send(client, "more")))["skipped"] == 2


async def test_one_a_day_whatever_is_asked(start: "Start") -> None:
    running = await start(**KEYS, mail_adapter="instant", newsletters_per_second=10_000)
    await _crowd(running, 150)
    async with _client(running) as client:
        answers = await asyncio.gather(*(_send(client, f"n{number}") for number in range(4)))
        found = [await _ended(running, client, answer) for answer in answers]
        assert sum(one["sent"] for one in found) == 150
        assert sum(one["skipped"] for one in found) == 450
        assert (
            await running.rows("SELECT 1 FROM newsletter_recipients GROUP BY buyer_id, day HAVING count(*) > 1") == []
        )
        # The day on which it was sent counts, not the day on which it was planned.
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE newsletter_recipients SET day = day - 1")
            await tx.execute("UPDATE newsletter_recipients SET day = day + 1 WHERE buyer_id::text < '8'")
            await tx.execute("UPDATE mailbox_days SET day = day - 1 WHERE buyer_id::text >= '8'")
        later = await _ended(running, client, await _send(client, "later"))
        assert later["sent"] + later["skipped"] == 150
        assert 0 < later["sent"] < 150


async def test_a_newsletter_that_is_late_by_a_day_counts_for_the_day_on_which_it_is_sent(start: "Start") -> None:
    running = await start(**KEYS, newsletters_per_second=1000)
    await _crowd(running, 12)
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    async with _client(running) as client:
        late = await _send(client, "late")
        await running.until_rows("SELECT 1 FROM work WHERE kind = 'send_newsletter' AND attempts > 0")
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE newsletter_recipients SET day = day - 1")
            await tx.execute("UPDATE mailbox_days SET day = day - 1")
            await tx.execute("UPDATE work SET due_at = now() + interval '1 hour' WHERE kind = 'send_newsletter'")
        await running.sandbox.clear_faults()
        punctual = await _ended(running, client, await _send(client, "punctual"))
        assert punctual["sent"] == 12
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE work SET due_at = now() WHERE kind = 'send_newsletter'")
        found = await _ended(running, client, late)
        assert (found["sent"], found["skipped"]) == (0, 12)
        assert (await running.sandbox.ledger_mail())["counts"]["messages"] == 12


async def test_who_may_send_and_what(start: "Start") -> None:
    running = await start(**KEYS, mail_adapter="instant")
    async with _client(running) as client, _client(running, "other-shop-key") as other:
        first = await _send(client)
        assert (await _send(client)).json()["newsletter_id"] == first.json()["newsletter_id"]
        reused = await _send(client, letters={"en": {"subject": "x", "text": "y"}})
        assert (reused.status_code, reused.json()["type"].rpartition(":")[2]) == (422, "idempotency-key-reused")
        path = f"/newsletters/{first.json()['newsletter_id']}"
        assert (await other.get(path)).status_code == 404
        assert (await _send(other)).status_code == 403
        assert (await client.get("/newsletters/" + str(uuid7()))).status_code == 404
        letters: list[JsonObject] = [{}, {"xx": LETTERS["en"]}, {"en": {"subject": "a\nBcc: b", "text": "x"}}]
        for bad in letters:
            assert (await _send(client, "bad", letters=bad)).status_code == 422
        assert (await client.post("/newsletters", json={"storefront": "esimka", "letters": LETTERS})).status_code == 422
    async with _client(running, "agent-key") as agent, _client(running, "nobody") as nobody:
        assert (await _send(agent, "a", storefront="qazaq-esim")).status_code == 202
        assert (await _send(agent, "a", storefront="unknown")).status_code == 422
        assert (await agent.get(path)).status_code == 200
        assert (await _send(nobody)).status_code == 401


async def test_what_cannot_be_sent_is_counted_and_mailboxes_that_refuse_get_no_more(start: "Start") -> None:
    running = await start(**KEYS, newsletters_per_second=1000, bounce_key="b" * 16)
    gone, busy, fine, lost, left = (running.buyer(name) for name in ("gone", "busy", "fine", "lost", "left"))
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "status": 550, "match": {"to": gone.email}},
        {"target": "mail", "effect": "refuse", "status": 450, "times": 2, "match": {"to": busy.email}},
        {"target": "mail", "effect": "lose_reply", "match": {"to": lost.email}},
    )
    await _known(running, *(buyer.contact(newsletter=True) for buyer in (gone, busy, fine, lost, left)))
    async with _client(running) as client:
        found = await _ended(running, client, await _send(client))
        assert (found["sent"], found["failed"], found["unknown"]) == (3, 1, 1)
        assert len(await running.sandbox.mails(lost.email)) == 1
        links = new_links(running.settings)
        [mail] = await running.rows("SELECT mail_id FROM newsletter_recipients WHERE buyer_id = :b", b=fine.buyer_id)
        bounce = (
            "From: m@x.example\r\nTo: x@y.example\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n"
            "Final-Recipient: rfc822; x@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
        )
        for known in (True, False):
            answer = await client.post(
                "/bounces",
                params={"recipient": links.return_path("newsletter", mail["mail_id"])},
                headers={"authorization": f"Bearer {'b' * 16}"},
                content=bounce.encode(),
            )
            assert answer.json() == {"outcome": "failed", "known": known}
    rows = await running.rows("SELECT buyer_id, reason FROM newsletter_suppressions")
    assert {row["buyer_id"]: row["reason"] for row in rows} == {gone.buyer_id: "refused", fine.buyer_id: "bounced"}


async def test_a_newsletter_can_be_stopped_and_mails_do_not_wait_for_it(start: "Start") -> None:
    running = await start(**KEYS, newsletters_per_second=5)
    await _crowd(running, 400)
    buyer = running.buyer("buyer")
    await running.stage.publish(buyer.contact())
    async with _client(running) as client:
        answer = await _send(client)
        path = f"/newsletters/{answer.json()['newsletter_id']}"

        async def begun() -> bool:
            return bool((await client.get(path)).json()["sent"])

        await running.stage.eventually(begun)
        await running.stage.publish(buyer.generated())
        await running.mail(buyer.email)
        stopped = (await client.delete(path)).json()
        assert stopped["sent"] < 400
        found = await _ended(running, client, answer)
        assert found["stopped_at"] is not None
        assert found["sent"] + found["skipped"] == 400
        assert found["skipped"] > 300
        assert (await running.sandbox.ledger_mail())["counts"]["messages"] == found["sent"] + 1


async def test_a_stop_waits_for_mails_under_way_and_begins_no_others(start: "Start") -> None:
    """The server answers so late that a whole group of mails would take longer than a stop may."""
    running = await start(**KEYS, newsletters_per_second=1000)
    await _crowd(running, 30)
    await running.sandbox.faults({"target": "mail", "effect": "delay", "seconds": 3})
    async with _client(running) as client:
        newsletter = (await _send(client)).json()["newsletter_id"]

        async def under_way() -> bool:
            return bool((await running.sandbox.ledger_mail())["counts"]["messages"])

        await running.stage.eventually(under_way)
    await running.stage.stop(running.service)
    taken = (await running.sandbox.ledger_mail())["counts"]["messages"]
    again = await start(**KEYS, newsletters_per_second=1000, database_url=running.service.settings.database_url)
    await running.sandbox.clear_faults()
    states = "SELECT state FROM newsletter_recipients WHERE newsletter_id = :id AND state <> 'planned'"
    async with _client(again) as client:
        found = (await client.get(f"/newsletters/{newsletter}")).json()
        assert found["unknown"] == 0, await again.rows(states, id=newsletter)
        assert found["sent"] >= taken

        async def ended() -> Json:
            progress = (await client.get(f"/newsletters/{newsletter}")).json()
            return None if progress["left"] else progress

        assert (await again.stage.eventually(ended))["sent"] == 30
    assert (await running.sandbox.ledger_mail())["counts"]["messages"] == 30


@pytest.mark.long
@pytest.mark.parametrize(("end", "unknown"), [(signal.SIGKILL, 10), (signal.SIGTERM, 0)], ids=["killed", "stopped"])
async def test_thousands_through_the_end_of_a_process_each_at_most_once(
    start: "Start", sandbox: "RunningSandbox", tmp_path: Path, end: signal.Signals, unknown: int
) -> None:
    """One process ends in the middle, another goes on; the mail server's own books judge."""
    count = 2500
    running = await start(**KEYS, newsletters_per_second=300)
    await _crowd(running, count)
    settings = running.service.settings
    port = free_port()
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
        "HTTP_PORT": str(port),
        "SMTP_PORT": str(sandbox.smtp_port),
        "STOREFRONT_KEYS": '{"esimka": "shop-key"}',
        "NEWSLETTERS_PER_SECOND": "400",
    }
    log = tmp_path / "first.log"
    with log.open("wb") as output:
        first = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notifications", "serve", env=environment, stdout=output, stderr=output
        )
    try:
        async with _client(running) as client, _client(running, port=port) as doomed:

            async def ready() -> bool:
                try:
                    return (await doomed.get("/health/ready")).status_code == 200
                except httpx.HTTPError:
                    return False

            await running.stage.eventually(ready, 60)
            answer = await _send(doomed)
            path = f"/newsletters/{answer.json()['newsletter_id']}"

            async def some() -> bool:
                return bool((await client.get(path)).json()["sent"] > count / 10)

            await running.stage.eventually(some, 60)
            first.send_signal(end)
            await first.wait()
            assert (await client.get(path)).json()["sent"] < count
            found = await _ended(running, client, answer, seconds=100)
    finally:
        if first.returncode is None:
            first.kill()
            await first.wait()
    assert found["planned"] == count
    assert found["sent"] + found["unknown"] == count
    assert found["unknown"] <= unknown, log.read_text()[-5000:]  # what the first one had under way
    messages = (await sandbox.ledger_mail())["messages"]
    times = Counter(address for message in messages for address in message["to"])
    assert max(times.values()) == 1
    assert found["sent"] <= len(times) <= count
