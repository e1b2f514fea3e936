"""Every fact that concerns the buyer has a mail, once, and not one that has become pointless."""

import json
from random import Random
from typing import TYPE_CHECKING

from services.notifications.tests.conftest import kind_of

from shared.contracts import ClaimAnswered, Company, OrderEvent, QrDelivered, SupportAnswered
from shared.ids import uuid7
from shared.reply_tags import ReplyTags
from shared.sealed import new_private_key
from shared.testing.documents import JsonObject, RowMapping

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start


async def _settled(running: "Notifications", buyer: "Buyer") -> list[JsonObject]:
    """All mails of the order, once none of them is waiting or due."""

    async def settled() -> list[RowMapping] | None:
        rows = await running.rows("SELECT kind, state FROM mails WHERE order_id = :o", o=buyer.order_id)
        return rows if rows and all(row["state"] not in {"waiting", "due"} for row in rows) else None

    return await running.stage.eventually(settled)


async def test_a_receipt_known_in_time_rides_with_the_code(start: "Start") -> None:
    # given: an order whose receipt comes before its code
    running = await start()
    buyer = running.buyer()
    company = Company(name="Example & Co", number="204378869", country="GE")
    await running.stage.publish(buyer.contact(company=company), buyer.paid(), buyer.receipt())
    await running.until_rows("SELECT 1 FROM orders WHERE receipt IS NOT NULL")
    # when: the code comes
    await running.stage.publish(buyer.generated())
    # then: one mail has both, with the buyer's company
    [mail] = await running.mail(buyer.email)
    assert "https://ofd.example/t/778" in mail["text"]
    assert "Example & Co, 204378869" in mail["text"], "the legal person, which no receipt of Webkassa names (PO 1)"
    assert "Example &amp; Co, 204378869" in mail["html"]
    # when: both come again, and another order's receipt comes after its code
    await running.stage.publish(buyer.receipt(), buyer.generated())
    other = running.buyer("other")
    await running.stage.publish(other.contact(), other.paid(), other.generated())
    await running.mail(other.email)
    await running.stage.publish(other.receipt())
    # then: the late receipt has a mail of its own, and nothing is sent twice
    assert await running.kinds(other.email, 2) == ["qr", "receipt"]
    assert len(await running.sandbox.mails(buyer.email)) == 1


async def test_the_answer_to_a_buyers_mail_stands_in_its_thread(start: "Start") -> None:
    # given: a buyer who wrote a mail
    key = new_private_key()
    running = await start(reply_key=key)
    buyer = running.buyer()
    written = {"message_id": "own@example.org", "references": ["first@x.example"], "subject": "Help!"}
    thread = buyer.sealer.seal(json.dumps(written).encode())
    # when: support asks for information
    await running.stage.publish(buyer.contact(), buyer.information().model_copy(update={"thread": thread}))
    # then: the question is a reply to that mail, and its reply address names the order
    [mail] = await running.mail(buyer.email)
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert headers["subject"] == "Re: Help!"
    assert headers["in-reply-to"] == "<own@example.org>"
    assert headers["references"].split() == ["<first@x.example>", "<own@example.org>"]
    assert ReplyTags(key).order_of([headers["reply-to"]]) == buyer.order_id
    # when: the thread of another buyer cannot be read
    other = running.buyer("other")
    unreadable = thread.model_copy(update={"box": "AAAA"})
    await running.stage.publish(other.contact(), other.information().model_copy(update={"thread": unreadable}))
    # then: the mail is sent without it
    [mail] = await running.mail(other.email)
    assert "in-reply-to" not in {name.lower() for name, _ in mail["headers"]}


async def test_what_an_agent_wrote_is_mailed_in_the_buyers_thread(start: "Start") -> None:
    # given: answers of an agent to a case, a question and two claims
    running = await start()
    buyer = running.buyer()
    thread = buyer.sealer.seal(
        json.dumps({"message_id": "own@example.org", "references": [], "subject": "Help!"}).encode()
    )
    words = buyer.sealer.seal(b"We looked <b>twice</b>.\n\nIt works again.")
    answered = SupportAnswered(
        **buyer.order, answer_id=uuid7(), case_id=buyer.case_id, words=words, answered_at=buyer.now, thread=thread
    )
    asked = buyer.information().model_copy(update={"words": words})
    times = {"received_at": buyer.now, "answer_by": buyer.now, "answered_at": buyer.now}
    here = ClaimAnswered(**buyer.order, claim_id=uuid7(), answer_id=uuid7(), **times)
    by_letter = ClaimAnswered(**buyer.order, claim_id=uuid7(), **times)
    # when: each is published, some of them twice
    await running.stage.publish(buyer.contact(), answered, answered, asked, here, here, by_letter, by_letter)
    # then: each is mailed once, in the thread; the words of the agent are escaped in HTML
    mails = {kind_of(mail): mail for mail in await running.mail(buyer.email, 3)}
    assert set(mails) == {"answer", "information", "claim_answered"}
    rows = [(row["kind"], row["state"]) for row in await _settled(running, buyer)]
    assert sorted(row for row in rows if row[0] == "claim_answered") == [
        ("claim_answered", "merged"),
        ("claim_answered", "sent"),
    ], "an answer of ours is mailed once, by its own words"
    del mails["claim_answered"]
    headers = {name.lower(): value for name, value in mails["answer"]["headers"]}
    assert (headers["subject"], headers["in-reply-to"]) == ("Re: Help!", "<own@example.org>")
    for mail in mails.values():
        assert "We looked <b>twice</b>." in mail["text"]
        assert "We looked &lt;b&gt;twice&lt;/b&gt;." in mail["html"]


async def test_who_waits_hears_that_the_order_is_there_and_then_that_we_are_on_it(start: "Start") -> None:
    # given: three orders: one waits, one has failed, one has its code
    running = await start(order_mail_after_seconds=0.3, delay_mail_after_seconds=2)
    waits, failed, has_it = running.buyer("waits"), running.buyer("failed"), running.buyer("has-it")
    company = Company(name="Example & Co", number="204378869", country="GE")
    for buyer in (waits, failed, has_it):
        await running.stage.publish(buyer.contact(company=company), buyer.receipt())
    await running.stage.publish(has_it.generated(), failed.failed(), failed.refund())
    known = "receipt IS NOT NULL AND (generated_at IS NOT NULL OR failed_at IS NOT NULL OR order_id = :waits)"
    await running.until_rows(f"SELECT 1 FROM orders WHERE {known} OFFSET 2", waits=waits.order_id)
    for buyer in (waits, failed, has_it):
        await running.stage.publish(buyer.paid(ago=5))
    assert await running.kinds(waits.email, 2) == ["delay", "order"]
    order = next(mail for mail in await running.sandbox.mails(waits.email) if ".order@" in mail["message_id"])
    assert "https://ofd.example/t/778" in order["text"]
    assert "Example & Co, 204378869" in order["text"]
    assert (
        "Example & Co" not in next(mail for mail in await running.sandbox.mails(waits.email) if mail != order)["text"]
    )
    await running.stage.publish(waits.generated())
    assert await running.kinds(waits.email, 3) == ["delay", "order", "qr"]
    assert (await running.kinds(has_it.email, 1)) == ["qr"]
    assert "delay" not in await running.kinds(failed.email, 1)


async def test_a_delay_that_has_ended_before_its_email_is_not_announced(start: "Start") -> None:
    # given: a mail about a delay that the mail server takes later
    running = await start(order_mail_after_seconds=0.2, delay_mail_after_seconds=0.4)
    buyer = running.buyer()
    await running.sandbox.faults({"target": "mail", "effect": "refuse", "status": 450})
    await running.stage.publish(buyer.contact(), buyer.paid(ago=9))
    tried = "SELECT 1 FROM work WHERE kind = 'mail' AND attempts > 0 AND key LIKE 'delay:%'"
    await running.until_rows(tried)
    # when: the code comes before it is sent
    await running.stage.publish(buyer.generated())
    await running.until_rows("SELECT 1 FROM orders WHERE generated_at IS NOT NULL")
    await running.sandbox.clear_faults()
    # then: the code is sent, and the mail about the delay is not
    rows = {row["kind"]: row["state"] for row in await _settled(running, buyer)}
    assert rows["qr"] == "sent"
    assert "dropped" in {rows["delay"], rows.get("order", "dropped")}


async def test_an_order_that_can_be_paid_or_is_over_has_a_mail_once(start: "Start") -> None:
    running = await start()
    unpaid, paid, over = running.buyer("unpaid"), running.buyer("paid"), running.buyer("over")
    late, swapped = running.buyer("late"), running.buyer("swapped")
    await running.stage.publish(late.released())
    await running.stage.eventually(lambda: running.state("released", late.order_id))
    await running.stage.publish(late.lapsed())
    await running.stage.eventually(lambda: running.state("lapsed", late.order_id))
    await running.stage.publish(late.contact())
    await running.stage.publish(paid.contact(), paid.paid(), over.contact(), over.paid(), over.generated())
    await running.until_rows("SELECT 1 FROM orders WHERE paid IS NOT NULL OFFSET 1")
    for _ in range(2):
        await running.stage.publish(unpaid.contact(), unpaid.held())
        await running.mail(unpaid.email)
        await running.stage.publish(unpaid.released())
        await running.mail(unpaid.email, 2)
        await running.stage.publish(unpaid.lapsed(), paid.lapsed(), over.expired())
    assert await running.kinds(unpaid.email, 3) == ["held", "lapsed", "released"]
    assert await running.kinds(over.email, 2) == ["expired", "qr"]
    for mail in await running.sandbox.mails(unpaid.email):
        assert "/account/" not in mail["text"], "an order that is not paid has no page"
    await running.stage.publish(swapped.contact(), swapped.lapsed())
    await running.mail(swapped.email)
    await running.stage.publish(swapped.released(), swapped.held())
    all_three = "SELECT 1 FROM mails WHERE order_id = :o OFFSET 2"
    await running.until_rows(all_three, o=swapped.order_id)
    states = {row["kind"]: row["state"] for row in await _settled(running, swapped)}
    assert states == {"lapsed": "sent", "released": "dropped", "held": "dropped"}, "the lapse was read first"
    states = {row["kind"]: row["state"] for row in await _settled(running, paid)}
    assert states["lapsed"] == "dropped", "it was paid after all"
    states = {row["kind"]: row["state"] for row in await _settled(running, late)}
    assert states == {"released": "dropped", "lapsed": "sent"}, "it cannot be paid any more"


async def test_a_request_that_waits_is_confirmed_and_one_that_is_decided_at_once_is_not(start: "Start") -> None:
    running = await start(delay_mail_after_seconds=0.5)
    waits, first, last = running.buyer("waits"), running.buyer("first"), running.buyer("last")
    for buyer in (waits, first, last):
        await running.stage.publish(buyer.contact())
    await running.stage.publish(first.denied(), last.cancelled())
    await running.until_rows("SELECT 1 FROM mails WHERE state = 'sent' OFFSET 1")
    await running.stage.publish(*(buyer.registered() for buyer in (waits, first, last)))
    await running.stage.publish(waits.registered())
    [mail] = await running.mail(waits.email)
    assert "Support checks it." in mail["text"]
    assert "Decided by" in mail["text"]
    await running.stage.publish(waits.denied())
    assert await running.kinds(waits.email, 2) == ["denied", "registered"]
    rows = {(row["kind"], row["state"]) for buyer in (first, last) for row in await _settled(running, buyer)}
    assert rows == {("denied", "sent"), ("cancelled", "sent"), ("registered", "merged")}


async def test_refund_answers_are_mails_once_whatever_the_order(start: "Start") -> None:
    running = await start(order_mail_after_seconds=60)
    buyer = running.buyer()
    facts: list[OrderEvent] = [
        buyer.paid(),
        buyer.information(),
        buyer.denied(),
        buyer.appealed(),
        buyer.denied(later=60),
        buyer.receipt("sale_return"),
    ]
    Random(7).shuffle(facts)  # noqa: S311 - an order of events
    await running.stage.publish(*facts, *facts, buyer.contact())
    await running.stage.publish(*facts)
    assert await running.kinds(buyer.email, 5) == ["appeal", "denied", "denied", "information", "receipt"]
    await running.stage.publish(buyer.refund())
    mails = await running.mail(buyer.email, 6)
    assert len({mail["message_id"] for mail in mails}) == 6


async def test_a_refund_that_settles_at_once_is_one_mail_and_a_later_one_is_two(start: "Start") -> None:
    # given: two approved refunds
    running = await start(gather_seconds=6)
    quick, slow = running.buyer("quick"), running.buyer("slow")
    await running.stage.publish(quick.contact(), slow.contact())
    await running.stage.publish(quick.refund(), slow.refund())
    await running.until_rows("SELECT 1 FROM mails WHERE kind = 'refund' OFFSET 1")
    # when: one settles before its mail is sent
    await running.stage.publish(quick.settled())
    # then: one mail says both
    [mail] = await running.mail(quick.email)
    assert "4\u00a0December 2026" in mail["text"]
    await running.mail(slow.email)
    # when: the other one settles after its mail
    await running.stage.publish(slow.settled())
    # then: it has a second mail
    assert await running.kinds(slow.email, 2) == ["refund", "settled"]
    assert len(await running.sandbox.mails(quick.email)) == 1


async def test_the_email_of_a_top_up_has_no_code(start: "Start") -> None:
    # given: a buyer
    running = await start()
    buyer = running.buyer()
    # when: a top-up is applied
    await running.stage.publish(buyer.contact(), buyer.paid(kind="top_up"), buyer.topped_up(buyer.case_id))
    # then: the mail says so, and no delivery of a code is published
    assert await running.kinds(buyer.email, 1) == ["topup"]
    assert await running.stage.all_events(QrDelivered) == []


async def test_an_address_corrected_while_the_mail_is_under_way_gets_the_code_too(start: "Start") -> None:
    # given: a mail with a code that is on its way to a wrong address
    running = await start()
    buyer = running.buyer("wrong")
    await running.sandbox.faults({"target": "mail", "effect": "delay", "seconds": 3, "times": 1})
    await running.stage.publish(buyer.contact(), buyer.generated())

    async def under_way() -> bool:
        return bool((await running.sandbox.active_faults())[0]["hits"])

    await running.stage.eventually(under_way)
    # when: the address is corrected
    await running.stage.publish(buyer.contact("right@example.org", later=1))
    # then: the code is sent there as well, and the delivery is published once
    assert await running.kinds("right@example.org", 1) == ["resend"]
    assert len(await running.stage.events(QrDelivered)) == 1


async def test_a_corrected_address_gets_the_code_so_many_times(start: "Start") -> None:
    # given: a delivered code, and a limit of two
    running = await start(resend_limit=2)
    buyer = running.buyer("wrong")
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.stage.events(QrDelivered)
    # when: the address is corrected three times
    for number in (1, 2, 3):
        corrected = buyer.contact(f"right{number}@example.org", later=number)
        await running.stage.publish(corrected)
        await running.stage.publish(corrected)
        if number < 3:
            assert await running.kinds(corrected.email, 1) == ["resend"]
    # then: two of the corrections have the code
    last = running.buyer("last")
    await running.stage.publish(last.contact(), last.generated())
    await running.mail(last.email)
    assert await running.sandbox.mails("right3@example.org") == []
    assert len(await running.sandbox.mails("right1@example.org")) == 1
    assert len(await running.stage.all_events(QrDelivered)) == 2
