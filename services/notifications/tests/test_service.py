"""Notifications between a real Kafka, a real Postgres and the sandbox's mail server."""

import asyncio
import base64
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import zxingcpp
from PIL import Image

from shared.contracts import BuyerContact, DeliveryFailed, QrDelivered
from shared.sealed import Opener, Sealer, new_private_key
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start


def _header(mail: JsonObject, name: str) -> str:
    return str(next(value for key, value in mail["headers"] if key.lower() == name.lower()))


async def test_profile_and_contact_become_a_mail_with_a_scannable_code(start: "Start", tmp_path: Path) -> None:
    # given: a buyer whose contact is known
    running = await start(mail_domain="mail.esims.example")
    buyer = running.buyer("aigul", name="Айгүл <b>", language="ru", storefront="qazaq-esim")
    await running.stage.publish(buyer.contact())

    # when: their profile is made
    await running.stage.publish(buyer.generated(confirmation_code="4471"))

    # then: the delivery is published
    [delivered] = await running.stage.events(QrDelivered)
    event = delivered.event
    assert (event.order_id, event.channel, event.paid_at) == (buyer.order_id, "email", buyer.now)

    # then: the mail is the shop's, in the buyer's language, with dates of the shop's zone and the code
    [mail] = await running.mail(buyer.email)
    assert _header(mail, "Message-ID") == f"<{buyer.order_id}.qr@mail.esims.example>"
    assert "orders@qazaq-esim.example" in _header(mail, "From")
    assert "Айгүл <b>" in mail["text"]
    assert "Айгүл &lt;b&gt;" in mail["html"]
    assert "20\u00a0мая 2027" in mail["text"]  # 19 May, 22:00 UTC, in Almaty
    assert buyer.lpa in mail["text"]
    assert "4471" in mail["text"]

    # then: its picture is that code, for a phone to scan
    [picture] = mail["attachments"]
    file = tmp_path / "qr.png"
    file.write_bytes(base64.b64decode(picture["content_base64"]))
    with Image.open(file) as image:
        [found] = zxingcpp.read_barcodes(image)
    assert found.text == buyer.lpa
    assert picture["content_id"] in mail["html"]


async def test_the_contact_may_come_after_the_profile(start: "Start") -> None:
    # given: a profile and a refund of a buyer whose contact is unknown
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.generated(), buyer.refund())
    await running.stage.eventually(lambda: _is(running, buyer, "waiting"))

    # when: the contact comes
    await running.stage.publish(buyer.contact())

    # then: both mails are sent
    await running.stage.events(QrDelivered)
    mails = await running.mail(buyer.email, count=2)
    assert {_header(mail, "Message-ID").split(".")[1].split("@")[0] for mail in mails} == {"qr", "refund"}


async def _is(running: "Notifications", buyer: "Buyer", state: str) -> bool:
    return bool(await running.state("qr", buyer.order_id) == state)


async def test_nothing_is_missed_when_contacts_and_profiles_race(start: "Start") -> None:
    # when: contacts and profiles of many buyers arrive at once, in small batches
    running = await start(consumer_max_records=7)
    buyers = [running.buyer(f"b{number}") for number in range(40)]
    facts = [fact for buyer in buyers for fact in (buyer.generated(), buyer.contact())]
    await asyncio.gather(*(running.stage.publish(fact) for fact in facts))

    # then: each buyer has one mail
    delivered = await running.stage.events(QrDelivered, count=40)
    assert {one.event.order_id for one in delivered} == {buyer.order_id for buyer in buyers}
    assert (await running.sandbox.ledger_mail())["counts"]["messages"] == 40


async def test_duplicates_are_one_mail(start: "Start") -> None:
    # when: the facts of an order come many times
    running = await start()
    buyer, other = running.buyer(), running.buyer("other")
    await running.stage.publish(buyer.contact(), *[buyer.generated() for _ in range(5)])
    await running.stage.publish(other.contact(), other.generated())
    await running.stage.events(QrDelivered, count=2)
    await running.stage.publish(buyer.generated(), buyer.contact(later=1))

    # when: a later order was served, so that all has been read
    last = running.buyer("last")
    await running.stage.publish(last.contact(), last.generated())
    await running.mail(last.email)

    # then: the buyer got one mail
    assert len(await running.sandbox.mails(buyer.email)) == 1
    assert len(await running.stage.events(QrDelivered, count=3)) == 3


async def test_the_newest_contact_wins_whatever_the_order(start: "Start") -> None:
    # when: a newer contact comes before an older one
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.contact("new@example.org", later=5))
    await running.stage.publish(buyer.contact("old@example.org"))
    await running.stage.publish(buyer.generated())

    # then: the mail goes to the newer address
    await running.mail("new@example.org")
    assert await running.sandbox.mails("old@example.org") == []


async def test_a_contact_corrected_before_delivery_gets_the_mail(start: "Start") -> None:
    # given: a mail that the server does not take for now
    running = await start()
    buyer = running.buyer("wrong")
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "status": 450, "match": {"to": "wrong@example.org"}}
    )
    await running.stage.publish(buyer.contact(), buyer.generated())

    async def refused() -> bool:
        return bool((await running.sandbox.active_faults())[0]["hits"] >= 1)

    await running.stage.eventually(refused)

    # when: the buyer corrects the address
    await running.stage.publish(buyer.contact("right@example.org", later=1))

    # then: the mail goes there, and nowhere else
    await running.mail("right@example.org")
    await running.stage.events(QrDelivered)
    assert await running.sandbox.mails("wrong@example.org") == []


@pytest.mark.parametrize("smtp_stage", ["rcpt", "data"])
async def test_a_temporary_refusal_is_tried_again(start: "Start", smtp_stage: str) -> None:
    # given: a mail server that refuses for now
    running = await start(smtp_connections=1)
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450, "times": 2, "stage": smtp_stage})

    # when: a code is to be delivered
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: it is delivered once, and nothing about it was unknown
    assert len(await running.stage.events(QrDelivered)) == 1
    assert len(await running.sandbox.mails(buyer.email)) == 1
    assert await running.stage.all_events(DeliveryFailed) == []
    assert running.metric("mail_uncertain_total") == 0


@pytest.mark.parametrize("smtp_stage", ["rcpt", "data"])
async def test_a_final_refusal_is_published_in_codes_only(
    start: "Start", smtp_stage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # given: a mail server that does not know the mailbox (550)
    running = await start()
    buyer = running.buyer("nobody-here", name="Zebulon")
    refuse = {"effect": "refuse", "status": 550, "message": f"5.1.1 {buyer.email} is unknown", "stage": smtp_stage}
    await running.sandbox.faults({"target": "mail", "times": 1, **refuse})

    # when: a code is to be delivered
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: the failure is published with its codes, and nothing is tried again
    [failed] = await running.stage.events(DeliveryFailed)
    assert (failed.event.smtp_code, failed.event.enhanced_code) == (550, "5.1.1")
    assert failed.event.order_id == buyer.order_id
    assert await running.state("qr", buyer.order_id) == "refused"
    assert await running.stage.all_events(QrDelivered) == []
    assert await running.rows("SELECT * FROM work WHERE kind = 'deliver_qr'") == []

    # then: neither events, logs, traces nor tables repeat the address
    running.service.tracing.close()
    seen = failed.event.model_dump_json() + "".join(capfd.readouterr()) + running.trace_file.read_text()
    for table in ("dead_letters", "outbox", "mails"):
        seen += str(await running.rows(f"SELECT * FROM {table}"))
    assert "nobody-here" not in seen
    assert "Zebulon" not in seen


async def test_an_address_that_is_none_is_refused_like_one(start: "Start") -> None:
    running = await start()
    buyer = running.buyer()
    await running.stage.publish(buyer.contact("no address"), buyer.generated())
    [failed] = await running.stage.events(DeliveryFailed)
    assert (failed.event.smtp_code, failed.event.enhanced_code) == (553, "5.1.3")


async def test_a_temporary_refusal_that_lasts_becomes_final(start: "Start") -> None:
    # given: a mail server that refuses for now, longer than we wait
    running = await start(mail_give_up_seconds=0.5)
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 452, "message": "4.2.2 full"})

    # when: a code is to be delivered
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: the failure is published with the last codes
    [failed] = await running.stage.events(DeliveryFailed)
    assert (failed.event.smtp_code, failed.event.enhanced_code) == (452, "4.2.2")


@pytest.mark.parametrize("effect", ["lose_reply", "partial_body"])
async def test_a_lost_final_reply_repeats_the_same_message_id(start: "Start", effect: str) -> None:
    # given: a mail server whose last reply gets lost
    running = await start()
    await running.sandbox.faults({"target": "mail", "effect": effect, "times": 1})

    # when: a code is to be delivered
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: it is sent twice under one Message-ID, counted as uncertain, and published once
    assert len(await running.stage.events(QrDelivered)) == 1
    mails = await running.mail(buyer.email, count=2)
    assert len(mails) == 2
    assert len({_header(mail, "Message-ID") for mail in mails}) == 1
    assert running.metric("mail_uncertain_total") == 1


async def test_a_final_reply_that_does_not_come_in_time_is_uncertain(start: "Start") -> None:
    running = await start(smtp_final_timeout_seconds=0.3)
    await running.sandbox.faults({"target": "mail", "effect": "delay", "seconds": 2, "times": 1})
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())
    await running.stage.events(QrDelivered)
    assert running.metric("mail_uncertain_total") == 1


async def test_connections_are_replaced_when_the_server_has_let_them_go(start: "Start") -> None:
    running = await start(smtp_connections=2)
    first, second = running.buyer("first"), running.buyer("second")
    await running.stage.publish(first.contact(), first.generated())
    await running.mail(first.email)
    await running.sandbox.faults({"target": "mail", "effect": "drop", "times": 1})
    await running.stage.publish(second.contact(), second.generated())
    await running.mail(second.email)
    assert len(await running.stage.events(QrDelivered, count=2)) == 2


async def test_a_mail_server_that_is_down_is_waited_for(start: "Start", unused_tcp_port: int) -> None:
    # given: no mail server
    running = await start(smtp_port=unused_tcp_port)

    # when: a code is to be delivered
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: it is tried again, and stays due
    [row] = await running.until_rows("SELECT last_error FROM work WHERE attempts > 1")
    assert row["last_error"] == "connect: SMTPConnectError"
    assert await running.state("qr", buyer.order_id) == "due"


async def test_an_erased_buyer_gets_nothing_and_stays_erased(start: "Start") -> None:
    # given: two buyers, one of whom is erased
    running = await start()
    gone, stays = running.buyer("gone"), running.buyer("stays")
    await running.stage.publish(gone.contact(), stays.contact())
    await running.stage.erase(BuyerContact, gone.buyer_id)
    await running.stage.erase(BuyerContact, "no buyer")

    # then: their contact is empty
    [row] = await running.until_rows("SELECT * FROM contacts WHERE erased_at IS NOT NULL")
    assert [row[name] for name in ("name", "email", "language", "updated_at")] == [None] * 4

    # when: facts of both come, with a contact of the erased one
    await running.stage.publish(gone.contact(later=9), gone.generated(), gone.refund())
    await running.stage.publish(stays.generated())

    # then: the other one gets the mail, and of the erased one nothing comes back
    await running.mail(stays.email)
    await running.stage.eventually(lambda: _is(running, gone, "dropped"))
    assert await running.sandbox.mails(gone.email) == []
    assert "gone@" not in str(await running.rows("SELECT * FROM contacts"))


async def test_an_erasure_stops_mails_that_wait(start: "Start") -> None:
    # given: one mail that waits for a contact, and one that the server does not take for now
    running = await start()
    waiting, due = running.buyer("waiting"), running.buyer("due")
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    await running.stage.publish(waiting.generated(), due.contact(), due.generated())

    await running.until_rows("SELECT 1 FROM work WHERE attempts > 0")

    # when: both buyers are erased
    for buyer in (waiting, due):
        await running.stage.erase(BuyerContact, buyer.buyer_id)

    # then: neither mail is sent, and neither counts as failed
    for buyer in (waiting, due):
        await running.stage.eventually(partial(_is, running, buyer, "dropped"))
    assert await running.stage.all_events(QrDelivered) == []
    assert await running.stage.all_events(DeliveryFailed) == []


async def test_a_code_sealed_to_somebody_else_waits_for_a_person(start: "Start") -> None:
    # when: a code comes that is not sealed to this service
    running = await start()
    buyer = running.buyer()
    buyer.sealer = Sealer("notifications", Opener(new_private_key()).public_key)
    await running.stage.publish(buyer.contact(), buyer.generated())

    # then: its task is parked
    [row] = await running.until_rows("SELECT last_error FROM work WHERE state = 'parked'")
    assert "CannotOpenError" in row["last_error"]


async def test_a_refund_is_explained(start: "Start") -> None:
    # when: a buyer's refund is approved
    running = await start()
    buyer = running.buyer("ivan", name="Иван", language="ru")
    await running.stage.publish(buyer.contact(), buyer.refund())

    # then: the mail names reason, amount, date and clause, in the buyer's language
    [mail] = await running.mail(buyer.email)
    assert _header(mail, "Message-ID") == f"<{buyer.refund_id}.refund@mail.example>"
    for wanted in ("eSIM не удалось выпустить.", "12\u00a0990,00\u00a0KZT", "20\u00a0декабря 2026", "RF 2.3"):
        assert wanted in mail["text"]

    # then: it is no delivery of a code
    await running.stage.eventually(lambda: _sent(running, buyer))
    assert await running.stage.all_events(QrDelivered) == []


async def _sent(running: "Notifications", buyer: "Buyer") -> bool:
    return bool(await running.state("refund", buyer.refund_id) == "sent")


async def test_the_instant_adapter_delivers_without_a_mail(start: "Start") -> None:
    running = await start(mail_adapter="instant")
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.generated())
    await running.stage.events(QrDelivered)
    assert (await running.sandbox.ledger_mail())["counts"]["messages"] == 0


async def test_the_code_is_nowhere_but_in_the_mail_and_the_trace_goes_on(
    start: "Start", capfd: pytest.CaptureFixture[str]
) -> None:
    # given: a mail server that refuses once, and once loses its last reply
    running = await start()
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "status": 450, "times": 1},
        {"target": "mail", "effect": "lose_reply", "times": 1},
    )

    # when: a code with a trace is to be delivered
    buyer = running.buyer("canary", name="Zebulon")
    trace = new_traceparent(sampled=True)
    await running.stage.publish(buyer.contact(), buyer.generated(), trace=trace)

    # then: the event continues the trace
    [delivered] = await running.stage.events(QrDelivered)
    assert trace_id(delivered.trace) == trace_id(trace)

    # then: each attempt is a span of the trace, with its outcome
    await running.mail(buyer.email, count=2)
    running.service.tracing.close()
    spans = [json.loads(line) for line in running.trace_file.read_text().splitlines()]
    mails = [span for span in spans if span["kind"] == "CLIENT" and span["name"] == "mail qr"]
    assert [span["attributes"]["mail.outcome"] for span in mails] == ["notnow", "uncertain", "accepted"]
    assert {span["trace"] for span in mails} == {trace_id(trace)}

    # then: the code and the buyer are in no span, log line, event or table
    seen = running.trace_file.read_text() + "".join(capfd.readouterr()) + delivered.event.model_dump_json()
    for table in ("mails", "work", "outbox", "dead_letters"):
        seen += str(await running.rows(f"SELECT * FROM {table}"))
    for secret in (buyer.lpa.split("$")[2], "canary", "Zebulon"):
        assert secret not in seen
