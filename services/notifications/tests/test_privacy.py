"""Being forgotten, provably (PP 6.2); and all that is held of a buyer, for the buyer."""

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from notifications.app import new_links
from notifications.privacy.jobs import ErasureJobs
from shared.contracts import DeliveryFailed, NotificationsBuyerErased, QrDelivered
from shared.contracts.ordering import BuyerContact

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

KEY = "a-privacy-key-of-tests"
CANARIES = ("canary", "Zebulon", "+77015550199", "QQ7SECRET", "918273", "ofd.example")


async def _everything(running: "Notifications") -> str:
    """All that the service's database holds, the core tables too."""
    tables = await running.rows(
        "SELECT relname::text AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return "".join([str(await running.rows(f"SELECT * FROM {table['name']}")) for table in tables])


def _canary(running: "Notifications") -> "Buyer":
    buyer = running.buyer("canary", name="Zebulon")
    buyer.phone = "+77015550199"
    return buyer


async def test_nothing_is_left_of_a_buyer_who_is_forgotten_and_nothing_brings_them_back(start: "Start") -> None:
    running = await start(order_mail_after_seconds=60)
    buyer, other = _canary(running), running.buyer("other")
    await running.stage.publish(buyer.contact(newsletter=True), other.contact(), buyer.paid(), buyer.receipt())
    await running.until_rows("SELECT 1 FROM orders WHERE receipt IS NOT NULL")
    await running.stage.publish(buyer.generated(), other.generated())
    await running.stage.events(QrDelivered, count=2)
    await running.mail(buyer.email)
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    await running.stage.publish(buyer.denied(), buyer.code("918273", channel="email"), buyer.observed(used=77))
    await running.until_rows("SELECT 1 FROM work WHERE attempts > 0")
    await running.until_rows("SELECT 1 FROM orders WHERE used_bytes = 77")
    assert "canary" in await _everything(running)
    await running.stage.publish(buyer.erasure())
    [published] = await running.stage.events(NotificationsBuyerErased)
    assert (published.event.buyer_id, published.event.request_id) == (buyer.buyer_id, buyer.case_id)
    assert "PO 3.4" in published.event.kept[0]
    await running.sandbox.clear_faults()
    # Whatever comes late, or again, or as a tombstone.
    await running.stage.publish(buyer.contact(later=9), buyer.generated(), buyer.denied(later=9), buyer.code("918273"))
    await running.stage.erase(BuyerContact, buyer.buyer_id)
    await running.stage.publish(buyer.erasure(), other.topped_up(other.order_id))
    await running.stage.events(NotificationsBuyerErased, count=2)
    await running.mail(other.email, 2)
    left = await _everything(running)
    assert [canary for canary in CANARIES if canary in left] == []
    mails = await running.rows("SELECT kind, state, facts FROM mails WHERE buyer_id = :b", b=buyer.buyer_id)
    assert {row["kind"]: row["state"] for row in mails} == {"qr": "sent", "denied": "dropped", "code": "dropped"}
    assert all(row["facts"] == {} for row in mails)

    async def no_work() -> bool:
        return not await running.rows("SELECT 1 FROM work WHERE payload::text LIKE :b", b=f"%{buyer.buyer_id}%")

    await running.stage.eventually(no_work)
    assert [row["subject"][:9] for row in await running.sandbox.mails(buyer.email)] == ["Your eSIM"]


async def test_a_code_that_was_on_its_way_at_the_erasure_is_a_delivery(start: "Start") -> None:
    running = await start()
    buyer = _canary(running)
    await running.sandbox.faults({"target": "mail", "effect": "delay", "seconds": 3, "times": 1})
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.until_rows("SELECT 1 FROM work WHERE owner IS NOT NULL")
    await running.stage.publish(buyer.erasure())
    await running.stage.events(NotificationsBuyerErased)
    [published] = await running.stage.events(QrDelivered)
    assert published.event.order_id == buyer.order_id
    left = await _everything(running)
    assert [canary for canary in CANARIES if canary in left] == []
    assert await running.rows("SELECT state FROM mails WHERE kind = 'qr'") == [{"state": "sent"}]


async def test_an_erasure_by_an_earlier_release_is_completed(start: "Start") -> None:
    running = await start()
    buyer, other = _canary(running), running.buyer("other")
    await running.stage.publish(buyer.contact(), other.contact(), buyer.erasure())
    await running.stage.events(NotificationsBuyerErased)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE contacts SET mailbox_key = 'canary' WHERE buyer_id = :b", b=buyer.buyer_id)
        for reader in (buyer, other):
            await tx.execute("INSERT INTO reminders_off VALUES (:b, now())", b=reader.buyer_id)
            await tx.execute(
                "INSERT INTO mailbox_days VALUES (current_date, 'esimka', :m, :b, 'ending', :b)",
                m=reader.email,
                b=reader.buyer_id,
            )
    await ErasureJobs(running.service.database).erase_left()
    assert "canary" not in await _everything(running)
    assert await running.rows("SELECT 1 FROM contacts WHERE mailbox_key = :key", key=other.email)
    for table in ("reminders_off", "mailbox_days"):
        assert await running.rows(f"SELECT buyer_id FROM {table}") == [{"buyer_id": other.buyer_id}]


async def test_the_link_says_that_all_is_gone_and_a_bounce_tells_nobody(start: "Start") -> None:
    running = await start(bounce_key="b" * 16)
    buyer = _canary(running)
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.stage.events(QrDelivered)
    links = new_links(running.settings)
    path = urlsplit(links.account(buyer.order_id, buyer.email, buyer.now)).path
    async with running.http() as client:
        assert (await client.get(path)).status_code == 200
        await running.stage.publish(buyer.erasure())
        await running.stage.events(NotificationsBuyerErased)
        for answer in (await client.get(path), await client.post(f"{path}/code", data={"form": "0" * 32})):
            assert answer.status_code in {404, 410}
        gone = await client.get(path)
        assert gone.status_code == 410
        assert "have been deleted" in gone.text
        assert "удалены" in gone.text
        bounce = (
            "From: mailer@x.example\r\nTo: x@y.example\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x.example\r\n\r\n"
            "Final-Recipient: rfc822; x@y.example\r\nAction: failed\r\nStatus: 5.1.1\r\n"
            "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n--b--\r\n"
        )
        answer = await client.post(
            "/bounces",
            params={"recipient": links.return_path("qr", buyer.order_id)},
            headers={"authorization": f"Bearer {'b' * 16}"},
            content=bounce.encode(),
        )
        assert (answer.status_code, answer.json()["known"]) == (200, True)
    assert await running.stage.all_events(DeliveryFailed) == []


async def test_orders_of_forgotten_buyers_are_watched_no_longer(start: "Start") -> None:
    running = await start(order_mail_after_seconds=1.5, delay_mail_after_seconds=2)
    buyer, other = running.buyer(), running.buyer("other")
    await running.stage.publish(buyer.contact(), other.contact(), buyer.paid(ago=6), other.paid(ago=6))
    await running.until_rows("SELECT 1 FROM orders WHERE paid IS NOT NULL OFFSET 1")
    await running.stage.publish(buyer.erasure())
    await running.stage.events(NotificationsBuyerErased)
    assert await running.kinds(other.email, 2) == ["delay", "order"]
    assert running.metric("work_outcomes_total", kind="watch_orders", outcome="unknown") == 0


async def test_an_export_has_everything_but_secrets(start: "Start") -> None:
    running = await start(privacy_key=KEY)
    buyer = _canary(running)
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated(confirmation_code="4471"))
    await running.stage.publish(buyer.code("918273", channel="email"))
    await running.mail(buyer.email, 2)
    await running.until_rows("SELECT 1 FROM mails HAVING bool_and(state = 'sent')")
    async with running.http() as client:
        path = f"/privacy/buyers/{buyer.buyer_id}"
        assert (await client.get(path)).status_code == 401
        answer = await client.get(path, headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200
        held = answer.json()
        nobody = await client.get(f"/privacy/buyers/{buyer.order_id}", headers={"authorization": f"Bearer {KEY}"})
        assert set(map(len, nobody.json().values())) == {0}
    assert held["contact"][0]["phone"] == buyer.phone
    assert held["orders"][0]["plan"]["title"] == "Turkey 5 GB"
    assert {mail["kind"]: mail["about"]["order_number"] for mail in held["mails"]} == dict.fromkeys(
        ["qr", "code"], "10000001"
    )
    assert "box" not in json.dumps(held)
