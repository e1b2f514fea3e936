"""Reminders: one a day for a mailbox together with newsletters, and to nobody who must not or will not get one."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest

from notifications.delivery.reminders import next_morning
from shared.contracts import DataLow, Money, OrderEvent, Plan, ProfileExpiring
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
ICCID = "8999702000000000018"
TOTAL = 5 * 2**30
PART = Money(amount=1000, currency="KZT")
LINK = re.compile(r"http\S+/unsubscribe/\S+\?what=reminders")
TBILISI = ZoneInfo("Asia/Tbilisi")


class MovingClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def low(buyer: "Buyer", percent: int = 80, total: int = TOTAL) -> DataLow:
    usage: JsonObject = {"threshold_percent": percent, "used_bytes": total * percent // 100, "total_bytes": total}
    return DataLow(**buyer.order, **usage, iccid=ICCID, plan=PLAN, observed_at=buyer.now)


def ending(buyer: "Buyer", reason: str = "plan_ended", *, days: float = 2) -> ProfileExpiring:
    end = buyer.now + timedelta(days=days)
    ends: JsonObject = {"reason": reason, "ends_at": end, "ends_on": end.date()}
    return ProfileExpiring(**buyer.order, **ends, iccid=ICCID, plan=PLAN, announced_at=buyer.now)


async def settled(running: "Notifications", event: OrderEvent) -> str:
    """The state of this order's reminder once it is decided, or held back until tomorrow (`due`)."""

    async def decided() -> str | None:
        rows = await running.rows(
            """SELECT m.state, w.due_at > now() + interval '1 minute' AS tomorrow FROM mails m
               LEFT JOIN work w ON w.kind = 'mail_reminder' AND w.key = m.kind || ':' || m.subject_id
               WHERE m.order_id = :order AND m.kind IN ('data_low', 'expiring', 'ending')
               ORDER BY m.created_at DESC LIMIT 1""",
            order=event.order_id,
        )
        waits = rows and rows[0]["state"] == "due" and not rows[0]["tomorrow"]
        return str(rows[0]["state"]) if rows and not waits else None

    return str(await running.stage.eventually(decided))


@asynccontextmanager
async def browser(running: "Notifications") -> AsyncIterator[httpx.AsyncClient]:
    base = running.address
    async with httpx.AsyncClient(base_url=base, timeout=30, trust_env=False, follow_redirects=True) as client:
        yield client


def path_of(link: str) -> str:
    parts = urlsplit(link)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


async def reminders(running: "Notifications", buyer: "Buyer", subject: str) -> int:
    """How many mails of this subject the mailbox has."""
    return sum(subject in mail["subject"] for mail in await running.sandbox.mails(buyer.email))


async def known(running: "Notifications", *buyers: "Buyer") -> None:
    await running.stage.publish(*(buyer.contact() for buyer in buyers), *(buyer.paid() for buyer in buyers))
    orders = [buyer.order_id for buyer in buyers]
    await running.until_rows(
        """SELECT 1 FROM orders JOIN contacts USING (buyer_id) WHERE order_id = ANY(:orders) AND email IS NOT NULL
               HAVING count(*) = :count""",
        orders=orders,
        count=len(orders),
    )


async def test_a_mailbox_has_one_reminder_a_day_whatever_the_order(start: "Start") -> None:
    clock = MovingClock()
    running = await start(clock=clock)
    # Two orders of one mailbox have two contacts.
    first, second, other = running.buyer("one"), running.buyer("one"), running.buyer("two")
    await known(running, first, second, other)
    await running.stage.publish(low(first), low(other))
    [mail], [_] = await running.mail(first.email), await running.mail(other.email)
    assert "80 %" in mail["subject"]
    assert "4 GB" in mail["text"].replace("\u00a0", " ")
    assert "/account/" in mail["text"]
    await running.stage.publish(ending(second), low(first))
    assert await settled(running, ending(second)) == "due"
    rows = await running.rows("SELECT mailbox FROM mailbox_days")
    assert len(rows) == 2
    assert "example" not in str(rows)
    clock.ahead += next_morning(datetime.now(TBILISI).date(), TBILISI) - clock.now() + timedelta(seconds=1)
    # The clock brings the mails of late orders too.
    assert await running.stage.eventually(lambda: reminders(running, second, "Your plan ends")) == 1
    assert [await reminders(running, one, "80 %") for one in (first, other)] == [1, 1]


async def test_a_newsletter_and_a_reminder_share_the_day(start: "Start") -> None:
    keys = {"storefront_keys": {"esimka": "shop-key"}}
    running = await start(**keys)
    reminded, reader = running.buyer("reminded"), running.buyer("reader")
    await known(running, reminded, reader)
    await running.stage.publish(low(reminded))
    await running.mail(reminded.email)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE contacts SET newsletter = true")
    headers = {"authorization": "Bearer shop-key", "idempotency-key": "spring"}
    letter = {"storefront": "esimka", "letters": {"en": {"subject": "Spring", "text": "Cheaper."}}}
    async with browser(running) as client:
        sent = (await client.post("/newsletters", json=letter, headers=headers)).json()

        async def ended() -> Json:
            path = f"/newsletters/{sent['newsletter_id']}"
            found = (await client.get(path, headers=headers)).json()
            return found if found["planned_at"] is not None and not found["left"] else None

        found = await running.stage.eventually(ended)
    assert (found["sent"], found["skipped"]) == (1, 1)
    assert len(await running.sandbox.mails(reminded.email)) == 1
    await running.mail(reader.email)
    await running.stage.publish(low(reader))
    assert await settled(running, low(reader)) == "due"
    assert len(await running.sandbox.mails(reader.email)) == 1


async def test_who_must_not_be_reminded_is_not(start: "Start") -> None:
    running = await start()
    names = ("refunded", "approved", "revoked", "refuses", "blocked", "erased", "topped", "part", "amounts", "fine")
    who = {name: running.buyer(name) for name in names}
    await known(running, *who.values())
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "match": {"to": who["refuses"].email}, "status": 550}
    )
    await running.stage.publish(
        who["refunded"].settled(),
        who["approved"].refund(),
        who["revoked"].revoked(),
        who["refuses"].receipt(kind="sale_return"),
        who["blocked"].contact(blocked=True, later=1),
        who["erased"].erasure(),
        who["topped"].observed(used=TOTAL * 8 // 10, total=TOTAL * 2),
        # The refund of a part leaves the eSIM in use. An earlier release says the amount only.
        who["part"].refund(remaining_payment=PART),
        who["part"].settled(remaining_payment=PART),
        who["amounts"].refund(amount=PART),
        who["amounts"].settled(amount=PART),
    )
    checks = {
        "refunded": "SELECT 1 FROM orders WHERE refunded_at IS NOT NULL",
        "approved": "SELECT 1 FROM mails WHERE kind = 'refund' AND state = 'sent'",
        "revoked": "SELECT 1 FROM orders WHERE revoked_at IS NOT NULL",
        "refuses": "SELECT 1 FROM mails WHERE state = 'refused'",
        "blocked": "SELECT 1 FROM contacts WHERE blocked",
        "erased": "SELECT 1 FROM contacts WHERE erased_at IS NOT NULL",
        "topped": "SELECT 1 FROM orders WHERE total_bytes IS NOT NULL",
        "part": "SELECT 1 FROM mails WHERE kind = 'settled' HAVING count(*) = 3",
    }
    for check in checks.values():
        await running.stage.eventually(lambda check=check: running.rows(check))  # type: ignore[misc] # its own query
    await running.stage.publish(*(low(buyer) for buyer in who.values()))
    await running.mail(who["fine"].email)
    states = {name: await settled(running, low(buyer)) for name, buyer in who.items()}
    assert {states.pop(name) for name in ("fine", "part", "amounts")} == {"sent"}
    assert states.pop("blocked") == "blocked"
    assert set(states.values()) == {"dropped"}, states
    mailed = await running.rows("SELECT kind FROM mails WHERE kind = 'data_low' AND state = 'sent'")
    assert len(mailed) == 3


@pytest.mark.parametrize("by", ["the mail's link", "one click", "the order's page"])
async def test_a_reader_switches_reminders_off_and_on_again(start: "Start", by: str) -> None:
    running = await start()
    first, second, third = (running.buyer("ann") for _ in range(3))
    await known(running, first, second, third)
    await running.stage.publish(low(first))
    [mail] = await running.mail(first.email)
    headers = {key.lower(): value for key, value in mail["headers"]}
    link = path_of(LINK.search(mail["text"])[0])  # type: ignore[index] # it is there
    assert path_of(headers["list-unsubscribe"].strip("<>")) == link
    assert headers["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    account = path_of(re.search(r"http\S+/account/\S+", mail["text"])[0])  # type: ignore[index] # it is there
    async with browser(running) as client:
        page = (await client.get(account)).text
        form = re.search(r'name="form" value="([0-9a-f]+)"', page)
        assert form is not None
        if by == "the order's page":
            answer = await client.post(f"{account}/reminders", data={"form": form[1]})
            assert "Done: you get no more reminders." in answer.text
        else:
            assert (await client.get(link)).status_code == 200
            assert await running.rows("SELECT 1 FROM reminders_off") == []
            clicked = {"List-Unsubscribe": "One-Click"} if by == "one click" else {}
            assert "Reminders are off" in (await client.post(link, data=clicked)).text
        assert await running.rows("SELECT 1 FROM newsletter_suppressions") == []
        await running.stage.publish(low(second))
        assert await settled(running, low(second)) == "dropped"
        # What a contract demands still comes.
        await running.stage.publish(second.generated(), second.receipt(kind="sale_return"))
        assert await running.kinds(first.email, 3) == ["data_low", "qr", "receipt"]
        if by == "the order's page":
            answer = await client.post(f"{account}/reminders", data={"form": form[1], "on": "1"})
            assert "Done: you get reminders again." in answer.text
        else:
            await client.post(link, data={"again": "1"})
    await running.stage.publish(low(third))
    # The mailbox had its reminder of the day; it is not dropped any more.
    assert await settled(running, low(third)) == "due"


async def test_thresholds_that_come_together_or_reordered_are_one_mail(start: "Start") -> None:
    running = await start()
    together, reordered = running.buyer("together"), running.buyer("reordered")
    await running.stage.publish(low(together), low(together, 100), low(reordered, 100), low(reordered))
    for buyer in (together, reordered):
        await running.stage.publish(buyer.contact(), buyer.paid())
        [mail] = await running.mail(buyer.email)
        assert "used up" in mail["subject"]
    await running.until_rows("SELECT 1 FROM mails WHERE kind = 'data_low' AND state = 'merged' HAVING count(*) = 2")
    assert [len(await running.sandbox.mails(buyer.email)) for buyer in (together, reordered)] == [1, 1]


async def test_an_end_is_one_mail_beside_the_timers_of_an_earlier_release(start: "Start") -> None:
    running = await start(plan_mail_before_seconds=5 * 86400)
    waiting, running_out = running.buyer("waiting"), running.buyer("out")
    await known(running, waiting, running_out)
    event = ending(running_out)
    await running.stage.publish(running_out.observed(plan_ends_at=event.ends_at), waiting.generated())
    await running.until_rows("SELECT 1 FROM orders WHERE plan_ends_at IS NOT NULL")
    await running.stage.publish(event, ending(waiting, "never_activated", days=14))
    [mail] = await running.mail(running_out.email)
    assert "Your plan ends on" in mail["subject"]
    assert await running.kinds(waiting.email, 2) == ["expiring", "qr"]
    async with running.service.database.transaction() as tx:
        tx.schedule("watch_plan", str(running_out.order_id))
    await running.until_rows("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM work WHERE kind = 'watch_plan')")
    assert len(await running.rows("SELECT 1 FROM mails WHERE kind = 'ending'")) == 1


async def test_a_buyer_is_erased_from_reminders_too(start: "Start") -> None:
    running = await start(privacy_key="export-key")
    buyer = running.buyer()
    await known(running, buyer)
    await running.stage.publish(low(buyer))
    await running.mail(buyer.email)
    async with running.service.database.transaction() as tx:
        await tx.execute("INSERT INTO reminders_off VALUES (:buyer, now())", buyer=buyer.buyer_id)
    async with browser(running) as client:
        path, key = f"/privacy/buyers/{buyer.buyer_id}", {"authorization": "Bearer export-key"}
        held = (await client.get(path, headers=key)).json()
    assert [one["kind"] for one in held["reminded_on"]] == ["data_low"]
    assert len(held["no_reminders_since"]) == 1
    await running.stage.publish(buyer.erasure())
    await running.until_rows("SELECT 1 FROM contacts WHERE erased_at IS NOT NULL")
    for table in ("mailbox_days", "reminders_off"):
        assert await running.rows(f"SELECT 1 FROM {table}") == []
    await running.stage.publish(low(buyer, 100))
    subjects: list[UUID] = []

    async def dropped() -> bool:
        subjects[:] = [row["subject_id"] for row in await running.rows("SELECT subject_id FROM mails")]
        return len(subjects) == 2

    await running.stage.eventually(dropped)
    assert len(await running.sandbox.mails(buyer.email)) == 1


def test_the_next_morning_is_the_shops_own() -> None:
    morning = next_morning(date(2026, 11, 30), TBILISI)
    assert morning.astimezone(UTC) == datetime(2026, 12, 1, 5, tzinfo=UTC)
