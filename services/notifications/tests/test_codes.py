"""Codes for requests, by SMS and by mail; mails about orders that are held; what a block withholds."""

from typing import TYPE_CHECKING

import pytest

from shared.telemetry.tracing import new_traceparent
from shared.testing.documents import JsonObject, RowMapping

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

    from sandbox.testing import RunningSandbox


async def _settled(running: "Notifications", kind: str) -> list[JsonObject]:
    """The mails of a kind, once none of them is due."""

    async def settled() -> list[RowMapping] | None:
        rows = await running.rows("SELECT state, channel, facts FROM mails WHERE kind = :k", k=kind)
        return rows if rows and all(row["state"] not in {"waiting", "due"} for row in rows) else None

    return await running.stage.eventually(settled)


def _sms(sandbox: "RunningSandbox") -> JsonObject:
    return {"sms_url": sandbox.sms_url, "sms_key": "sandbox-sms-key"}


async def test_a_code_goes_to_the_phone_once(start: "Start", sandbox: "RunningSandbox") -> None:
    # given: a code for a Russian-speaking buyer
    running = await start(**_sms(sandbox))
    buyer = running.buyer(language="ru")
    code = buyer.code("048151")
    # when: it is published several times
    await running.stage.publish(code, code)
    await running.stage.publish(buyer.contact(), code)
    # then: one SMS has it, and no mail
    [row] = await _settled(running, "code")
    assert (row["state"], row["channel"]) == ("sent", "sms")
    assert "code" not in row["facts"]
    [text] = await sandbox.texts(buyer.phone)
    assert text["sender"] == "eSIMka"
    for wanted in ("048151", "10000001", "изменение ваших контактных данных"):
        assert wanted in text["text"]
    assert text["id"] != str(code.confirmation_id)
    assert await sandbox.mails(buyer.email) == []


@pytest.mark.parametrize(
    ("fault", "repeats"),
    [({"effect": "lose_reply"}, 1), ({"effect": "http_error", "status": 500}, 0), ({"effect": "drop"}, 0)],
)
async def test_a_lost_answer_is_asked_for_again_under_the_same_id(
    start: "Start", sandbox: "RunningSandbox", fault: JsonObject, repeats: int
) -> None:
    # given: an SMS gateway that fails once
    running = await start(**_sms(sandbox))
    buyer = running.buyer()
    await sandbox.faults({"target": "sms.send", "times": 1, **fault})
    # when: a code is published
    await running.stage.publish(buyer.contact(), buyer.code())
    # then: it is sent once, under one id
    [row] = await _settled(running, "code")
    assert (row["state"], row["channel"]) == ("sent", "sms")
    [text] = await sandbox.texts(buyer.phone)
    assert text["repeats"] == repeats
    assert await sandbox.mails(buyer.email) == []


async def test_a_code_goes_by_mail_where_no_phone_gets_it(start: "Start", sandbox: "RunningSandbox") -> None:
    running = await start(**_sms(sandbox))
    refused, asked, unknown = running.buyer("refused"), running.buyer("asked"), running.buyer("unknown")
    refused.phone = "+77010000000"
    await sandbox.faults({"target": "sms.send", "effect": "refuse", "match": {"to": refused.phone}})
    await running.stage.publish(*(buyer.contact() for buyer in (refused, asked, unknown)))
    await running.until_rows("SELECT 1 FROM contacts OFFSET 2")
    async with running.service.database.transaction() as tx:  # a contact from before there were phones
        await tx.execute("UPDATE contacts SET phone = NULL WHERE buyer_id = :b", b=unknown.buyer_id)
    await running.stage.publish(refused.code(), unknown.code(), asked.code("771177", channel="email", purpose="erase"))
    for buyer, wanted in ((refused, "048151"), (unknown, "048151"), (asked, "771177")):
        [mail] = await running.mail(buyer.email)
        assert wanted in mail["text"]
        assert wanted not in mail["subject"]
        assert "/account/" not in mail["text"]
    assert await sandbox.texts() == []
    assert {row["channel"] for row in await _settled(running, "code")} == {"email"}
    # The very same contact, read again, brings the phone.
    await running.stage.publish(unknown.contact())
    await running.until_rows("SELECT 1 FROM contacts WHERE buyer_id = :b AND phone IS NOT NULL", b=unknown.buyer_id)


async def test_a_code_that_is_not_valid_any_more_is_not_sent(start: "Start", sandbox: "RunningSandbox") -> None:
    # given: a code that has expired, and one that expires while the gateway fails
    running = await start(**_sms(sandbox))
    late, busy = running.buyer("late"), running.buyer("busy")
    await sandbox.faults({"target": "sms.send", "effect": "http_error", "status": 503})
    await running.stage.publish(late.contact(), busy.contact())
    await running.stage.publish(late.code(minutes=-1), busy.code(minutes=0.03))
    # then: neither is sent, and neither is kept
    rows = await running.stage.eventually(lambda: _both(running))
    assert {row["state"] for row in rows} == {"dropped"}
    assert all("code" not in row["facts"] for row in rows)
    assert await sandbox.texts() == []
    assert (await sandbox.ledger_mail())["counts"]["messages"] == 0


async def _both(running: "Notifications") -> list[RowMapping] | None:
    rows = await _settled(running, "code")
    return rows if len(rows) == 2 else None


async def test_the_code_is_nowhere_but_in_the_message(
    start: "Start", sandbox: "RunningSandbox", capfd: pytest.CaptureFixture[str]
) -> None:
    # given: an SMS gateway that fails twice
    running = await start(**_sms(sandbox))
    buyer = running.buyer("canary")
    buyer.phone = "+77015550199"
    await sandbox.faults({"target": "sms.send", "effect": "http_error", "status": 503, "times": 2})
    await running.stage.publish(buyer.contact())
    # when: a code is published and sent
    await running.stage.publish(buyer.code("918273"), trace=new_traceparent(sampled=True))
    await running.stage.eventually(lambda: sandbox.texts(buyer.phone))
    # then: tables, trace and log do not have it, nor the buyer's contact
    seen = "".join([str(await running.rows(f"SELECT * FROM {table}")) for table in ("work", "mails", "outbox")])
    await _settled(running, "code")
    running.service.tracing.close()
    seen += running.trace_file.read_text() + "".join(capfd.readouterr())
    assert "sms code" in seen
    for secret in ("918273", "canary", "+77015550199"):
        assert secret not in seen


async def test_held_and_refused_orders_are_announced_by_email(start: "Start") -> None:
    # given: two buyers
    running = await start()
    buyer, other = running.buyer(language="kk"), running.buyer("other")
    held, refused = buyer.held(), other.refused()
    # when: one order is held and another one refused
    await running.stage.publish(held, refused, held, buyer.contact(), other.contact())
    # then: each has a mail, which names no rule and has no link
    [mail] = await running.mail(buyer.email)
    assert ".held@" in mail["message_id"]
    assert "orders_by_ip" not in mail["text"] + mail["html"]
    assert "/account/" not in mail["text"]
    assert await running.kinds(other.email, 1) == ["declined"]


async def test_a_block_withholds_what_nobody_asked_for_until_it_is_lifted(start: "Start") -> None:
    # given: a buyer whose data are blocked
    running = await start(order_mail_after_seconds=0.2)
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(blocked=True))
    await running.stage.publish(
        buyer.generated(), buyer.topped_up(buyer.order_id), buyer.denied(), buyer.receipt("sale_return")
    )
    await running.stage.publish(buyer.code(channel="email"))
    # then: what the buyer asked for is mailed, and the rest waits
    assert await running.kinds(buyer.email, 3) == ["code", "denied", "receipt"]
    # A mail is in the mailbox before its result is recorded.
    await running.until_rows("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM work WHERE kind IN ('deliver_qr', 'mail'))")
    states = {row["kind"]: row["state"] for row in await running.rows("SELECT kind, state FROM mails")}
    assert (states["qr"], states["topup"]) == ("blocked", "blocked")
    # when: the block is lifted
    await running.stage.publish(buyer.contact(later=1))
    # then: the rest is mailed
    assert await running.kinds(buyer.email, 5) == ["code", "denied", "qr", "receipt", "topup"]


async def test_a_block_that_comes_while_a_mail_is_due_withholds_it(start: "Start") -> None:
    # given: a code whose mail the server does not take yet
    running = await start()
    buyer = running.buyer()
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    await running.stage.publish(buyer.contact(), buyer.generated())
    await running.until_rows("SELECT 1 FROM work WHERE attempts > 0")
    # when: the buyer's data are blocked, and the eSIM is revoked meanwhile
    await running.stage.publish(buyer.contact(later=1, blocked=True))
    await running.stage.eventually(lambda: _is(running, buyer, "blocked"))
    await running.sandbox.clear_faults()
    await running.stage.publish(buyer.revoked())
    await running.until_rows("SELECT 1 FROM orders WHERE revoked_at IS NOT NULL")
    # then: when the block is lifted the mail is pointless, and is not sent
    await running.stage.publish(buyer.contact(later=2))
    await running.stage.eventually(lambda: _is(running, buyer, "dropped"))
    assert await running.sandbox.mails(buyer.email) == []


async def test_mails_that_waited_for_a_contact_heed_its_block(start: "Start") -> None:
    # given: mails that wait for a contact
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.generated(), buyer.denied())
    await running.stage.eventually(lambda: _is(running, buyer, "waiting"))
    # when: a blocked contact comes
    await running.stage.publish(buyer.contact(blocked=True))
    # then: only the answer to the buyer's request is sent
    assert await running.kinds(buyer.email, 1) == ["denied"]
    assert await _is(running, buyer, "blocked")


async def _is(running: "Notifications", buyer: "Buyer", state: str) -> bool:
    return bool(await running.state("qr", buyer.order_id) == state)
