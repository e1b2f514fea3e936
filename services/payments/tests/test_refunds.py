"""Refunds, judged by the bank's own ledger, whatever happens to replies."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from payments.refunds import store
from payments.refunds.models import Intent
from shared.contracts import Money, OrderPlaced, RefundFailed, RefundSettled
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

PRICE = 599050


async def at_the_bank(running: "Payments") -> list[int]:
    """The refunds that the bank made of its one transaction, in minor units."""
    [transaction] = await running.sandbox.ledger_bank()
    return [refund["amount"] for refund in transaction["refunds"]]


async def reserved(running: "Payments") -> int:
    [row] = await running.rows("SELECT refunded_minor FROM payment_orders")
    return int(row["refunded_minor"])


async def test_a_full_refund(start: "Start") -> None:
    # given: a paid order
    running = await start()
    order = await running.paid()
    # when: the same approval is published twice
    approved = running.refund_approved(order, PRICE)
    await running.stage.publish(approved, approved)
    # then: one refund is settled, and the bank has made one
    [settled] = await running.stage.events(RefundSettled)
    assert (settled.event.refund_id, settled.event.amount) == (approved.refund_id, approved.amount)
    assert (settled.event.order_number, settled.event.charge_id) == (order.order_number, None)
    await running.quiet()
    [transaction] = await running.sandbox.ledger_bank()
    assert [(r["amount"], r["externalID"]) for r in transaction["refunds"]] == [(PRICE, str(approved.refund_id))]
    assert len(await running.stage.all_events(RefundSettled)) == 1


@pytest.mark.parametrize("behaviour", [{}, {"amount_after_refund": "remaining"}], ids=["original", "remaining"])
async def test_partial_refunds_up_to_what_was_paid(start: "Start", behaviour: dict[str, str]) -> None:
    # given: a paid order, at banks that show different amounts after a refund
    running = await start()
    await running.sandbox.bank_behaviour(**behaviour)
    order = await running.paid()
    # when: three parts are approved, of which two are less than what was paid
    await running.stage.publish(*[running.refund_approved(order, 200000) for _ in range(3)])
    # then: two are made, and the third one is refused
    await running.stage.events(RefundSettled, count=2)
    [failed] = await running.stage.events(RefundFailed)
    assert failed.event.reason == "the refund is larger than what is left of the payment"
    # when: the exact rest is approved
    await running.stage.publish(running.refund_approved(order, 199050))
    # then: it is made, and only it is not called a part
    settled = await running.stage.events(RefundSettled, count=3)
    assert [each.event.is_part for each in sorted(settled, key=lambda each: each.event.settled_at)] == [
        True,
        True,
        False,
    ]
    assert sorted(await at_the_bank(running)) == [199050, 200000, 200000]
    assert await reserved(running) == PRICE


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "lose_reply"},
        {"effect": "partial_body"},
        {"effect": "drop"},
        {"effect": "http_error", "status": 502},
        {"effect": "delay", "seconds": 1.5},
        {"effect": "latency", "seconds": 1.5},
        {"effect": "http_error", "status": 401},
        {"effect": "http_error", "status": 429},
    ],
    ids=["lost", "half", "cut", "502", "late-reply", "late", "401", "429"],
)
@pytest.mark.parametrize("times", [1, 3])
async def test_a_full_refund_happens_once_whatever_happens_to_the_reply(
    start: "Start", fault: JsonObject, times: int
) -> None:
    # given: a paid order, and a bank whose replies to refunds fail in this way
    running = await start(epay_timeout_seconds=1.0)
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "times": times, **fault})
    # when: a full refund is approved
    await running.stage.publish(running.refund_approved(order, PRICE))
    # then: it is made once
    await running.stage.events(RefundSettled)
    await running.quiet()
    assert await at_the_bank(running) == [PRICE]
    assert await running.stage.all_events(RefundFailed) == []


@pytest.mark.parametrize("effect", ["lose_reply", "drop"])
async def test_a_lost_reply_to_a_partial_refund_is_never_repeated_blindly(start: "Start", effect: str) -> None:
    """This bank shows neither the status nor the rest: only a person can decide."""
    # given: a paid order, and a reply to a refund that gets lost
    running = await start()
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "effect": effect, "times": 1})
    # when: a part is approved
    await running.stage.publish(running.refund_approved(order, 200000))
    # then: the task waits for a person; the bank was called once, and the amount stays reserved
    [parked] = await running.until_rows("SELECT kind, last_error FROM work WHERE state = 'parked'")
    assert parked["kind"] == "refund"
    assert "ask the bank" in parked["last_error"]
    assert await at_the_bank(running) == ([200000] if effect == "lose_reply" else [])
    assert len(await running.sandbox.requests("/refund")) == 1
    assert await reserved(running) == 200000
    assert await running.stage.all_events(RefundSettled) == []


@pytest.mark.parametrize("behaviour", [{"partial_refund_status": "REFUND"}, {"amount_after_refund": "remaining"}])
async def test_a_bank_that_shows_partial_refunds_settles_them(start: "Start", behaviour: dict[str, str]) -> None:
    # given: a bank that shows partial refunds, and a reply that gets lost
    running = await start()
    await running.sandbox.bank_behaviour(**behaviour)
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
    # when: a part is approved
    await running.stage.publish(running.refund_approved(order, 200000))
    # then: the status settles it; it is made once
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [200000]


async def test_a_second_partial_refund_is_repeated_where_the_bank_shows_the_rest(start: "Start") -> None:
    # given: a bank that shows what is left, and an order that is refunded in part
    running = await start()
    await running.sandbox.bank_behaviour(amount_after_refund="remaining")
    order = await running.paid()
    await running.stage.publish(running.refund_approved(order, 200000))
    await running.stage.events(RefundSettled)
    # when: the call of a second part gets lost
    await running.sandbox.faults({"target": "bank.refund", "effect": "drop", "times": 1})
    await running.stage.publish(running.refund_approved(order, 100000))
    # then: it is repeated, and made once
    await running.stage.events(RefundSettled, count=2)
    assert await at_the_bank(running) == [200000, 100000]


async def test_a_call_that_arrives_late_is_not_repeated_meanwhile(start: "Start") -> None:
    """The reply timed out and the status says "not made", but the call is still on its way to the bank."""
    # given: a bank that shows what is left, and an order that is refunded in part
    running = await start(epay_timeout_seconds=2.0, refund_doubt_seconds=6.0)
    await running.sandbox.bank_behaviour(amount_after_refund="remaining")
    order = await running.paid()
    await running.stage.publish(running.refund_approved(order, 200000))
    await running.stage.events(RefundSettled)
    # when: the call of a second part arrives after its timeout
    await running.sandbox.faults({"target": "bank.refund", "effect": "latency", "seconds": 3.0, "times": 1})
    await running.stage.publish(running.refund_approved(order, 100000))
    # then: the call is not repeated
    await running.stage.events(RefundSettled, count=2)
    assert await at_the_bank(running) == [200000, 100000]
    assert len(await running.sandbox.requests("/refund")) == 2


async def test_a_status_that_cannot_be_asked_is_asked_again(start: "Start") -> None:
    # given: a lost reply to a refund, and status queries that fail
    running = await start()
    order = await running.paid()
    await running.sandbox.faults(
        {"target": "bank.refund", "effect": "lose_reply", "times": 1},
        {"target": "bank.check_status", "effect": "http_error", "times": 2},
        {"target": "bank.check_status", "effect": "drop", "times": 1},
    )
    # when: a full refund is approved
    await running.stage.publish(running.refund_approved(order, PRICE))
    # then: it is made by one call
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [PRICE]
    assert len(await running.sandbox.requests("/refund")) == 1


async def test_a_refusal_is_published_and_releases_the_promise(start: "Start") -> None:
    # given: a paid order, and a bank that refuses
    running = await start()
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "effect": "refuse", "code": 123, "message": "Aigerim"})
    # when: a full refund is approved
    approved = running.refund_approved(order, PRICE)
    await running.stage.publish(approved)
    # then: the failure is published with the bank's code only, and nothing is reserved
    [failed] = await running.stage.events(RefundFailed)
    assert (failed.event.refund_id, failed.event.reason) == (approved.refund_id, "the bank refused with code 123")
    assert await reserved(running) == 0
    assert await at_the_bank(running) == []
    # when: another one is approved, and the bank does not refuse
    await running.sandbox.clear_faults()
    await running.stage.publish(running.refund_approved(order, PRICE))
    # then: the bank makes it
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [PRICE]


async def test_a_refusal_of_what_was_done_before_is_settled(start: "Start") -> None:
    # given: a bank that makes a refund, and refuses its repetition
    running = await start()
    order = await running.paid()
    await running.sandbox.faults(
        {"target": "bank.refund", "effect": "duplicate", "times": 1},  # done, then refused as done
    )
    # when: a full refund is approved
    await running.stage.publish(running.refund_approved(order, PRICE))
    # then: it is settled, not failed
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [PRICE]
    assert await running.stage.all_events(RefundFailed) == []


async def test_a_refund_waits_for_its_capture(start: "Start") -> None:
    # given: a refund that is approved before its order is known
    running = await start()
    order: OrderPlaced = running.order_placed()
    await running.stage.publish(running.refund_approved(order, PRICE))
    await running.until_rows("SELECT 1 FROM work WHERE last_error = 'no capture of this order is known yet'")
    # when: the order arrives and is paid
    await running.stage.publish(order, running.contact_of(order))
    await running.sandbox.pay(await running.page(order))
    # then: the order is refunded
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [PRICE]


async def test_a_refund_of_an_unpaid_order_fails_after_its_wait(start: "Start") -> None:
    # given: an order that is not paid
    running = await start(refund_wait_seconds=0.2)
    order = await running.ordered()
    # when: refunds of it, and of an unknown order, are approved
    await running.stage.publish(
        running.refund_approved(order, PRICE), running.refund_approved(running.order_placed(), PRICE)
    )
    # then: both fail after the wait, without a posting
    failed = await running.stage.events(RefundFailed, count=2)
    assert {one.event.reason for one in failed} == {"there is no payment that could be refunded"}
    assert await running.rows("SELECT 1 FROM ledger") == []
    await running.quiet()


async def test_a_refund_waits_for_another_that_waits_for_a_person_and_is_then_made_at_once(start: "Start") -> None:
    # given: a refund with an unknown outcome, and a second one that waits for it
    running = await start(refund_wait_seconds=0.3, poll_longest_seconds=600, refund_doubt_seconds=0.1)
    order = await running.paid()
    first, second = running.refund_approved(order, 200000), running.refund_approved(order, 100000)
    await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
    await running.stage.publish(first)
    await running.until_rows("SELECT 1 FROM work WHERE state = 'parked'")
    await running.stage.publish(second)
    # It has waited longer than for a capture, and looks again in ten minutes.
    await running.until_rows("SELECT 1 FROM work WHERE due_at > now() + interval '1 minute'")
    # when: an agent says that the first one was made
    path = f"/refunds/{first.refund_id}/finding"
    assert (await running.request("POST", path, key="agent-key", json={"made": True})).status_code == 200
    # then: both are settled, each made once
    await running.stage.events(RefundSettled, count=2)
    assert sorted(await at_the_bank(running)) == [100000, 200000]


@pytest.mark.parametrize("amount", [Money(amount=PRICE + 1, currency="KZT"), Money(amount=100, currency="USD")])
async def test_an_impossible_refund_never_reaches_the_bank(start: "Start", amount: Money) -> None:
    # given: a paid order
    running = await start()
    order = await running.paid()
    before = await running.rows("SELECT * FROM ledger")
    # when: more than the price, or another currency, is approved
    await running.stage.publish(running.refund_approved(order, 1, amount=amount))
    # then: it fails without a call, a reservation or a posting
    await running.stage.events(RefundFailed)
    assert await running.sandbox.requests("/refund") == []
    assert await reserved(running) == 0
    assert await running.rows("SELECT * FROM ledger") == before


async def test_a_refund_of_nothing_is_a_dead_letter_and_delays_no_other(start: "Start") -> None:
    # given: a paid order
    running = await start()
    order = await running.paid()
    # when: a refund of nothing and a full one are approved
    await running.stage.publish(running.refund_approved(order, 0), running.refund_approved(order, PRICE))
    # then: the full one is made, and the other is a dead letter
    await running.stage.events(RefundSettled)
    assert len(await running.rows("SELECT 1 FROM dead_letters WHERE topic = 'refunds.refund-approved'")) == 1


async def test_the_database_itself_refuses_to_pay_out_more_than_came_in(start: "Start") -> None:
    running = await start()
    await running.paid()
    with pytest.raises(Exception, match="refunds_within_capture"):
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE payment_orders SET refunded_minor = captured_minor + 1")


async def test_after_a_crash_between_promise_and_result_the_bank_is_asked_first(start: "Start") -> None:
    """The rows that a process leaves that was killed between the promise and the result."""
    # given: a refund that the bank has made, and a task that says only that it was begun
    running = await start()
    order = await running.paid()
    approved = running.refund_approved(order, PRICE)
    await running.sandbox.return_by_bank_staff()
    async with running.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO refunds (refund_id, order_id, order_number, storefront, buyer_id, amount_minor, currency,"
            " external_id, approved_at) VALUES (:id, :order, '10000001', 'qazaq-esim', :buyer, :amount, 'KZT', 'x',"
            " :now)",
            id=approved.refund_id,
            order=order.order_id,
            buyer=order.buyer_id,
            amount=PRICE,
            now=tx.now,
        )
        intent = await store.intend(tx, approved.refund_id)
        assert isinstance(intent, Intent)
        assert intent.fresh
        await tx.execute(
            "INSERT INTO work (id, kind, key, payload, state, due_at, created_at)"
            " VALUES (:id, 'refund', :key, '{}', 'unknown', :now, :now)",
            id=uuid7(),
            key=str(approved.refund_id),
            now=tx.now - timedelta(seconds=1),
        )
    # then: it is settled without another call
    await running.stage.events(RefundSettled)
    assert await at_the_bank(running) == [PRICE]
    assert len(await running.sandbox.requests("/refund")) == 1
