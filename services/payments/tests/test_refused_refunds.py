"""A refund that the bank refused: tried again, or paid by hand with a second person. Never twice, and never lost."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from shared.contracts import (
    Money,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundSettled,
)
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Action, Payments, Refuse, RefusedRefund, Start

PRICE = 599050
ANNA, BORIS = uuid7(), uuid7()


async def reserved(running: "Payments") -> int:
    [row] = await running.rows("SELECT refunded_minor FROM payment_orders")
    return int(row["refunded_minor"])


async def test_a_retry_that_the_bank_accepts_settles_the_same_refund(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund, and a bank that does not refuse any more
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    # when: an agent retries it
    assert await case.does(case.retry()) == [None]
    # then: the same refund is settled, and the money goes out once
    [retried] = await running.stage.events(RefundRetried)
    assert (retried.event.refund_id, retried.event.attempt) == (case.refund_id, 2)
    [settled] = await running.stage.events(RefundSettled)
    assert (settled.event.refund_id, settled.event.amount.amount, settled.event.way) == (case.refund_id, PRICE, None)
    assert await case.out() == (PRICE, 0)


async def test_each_refusal_is_published_with_its_attempt_and_the_banks_code(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund, and a bank that refuses on
    running = await start()
    case = await refused(running)
    # when: an agent retries it
    assert await case.does(case.retry()) == [None]
    # then: both refusals are published, and nothing is reserved
    failed = await running.stage.events(RefundFailed, count=2)
    assert [(one.event.attempt, one.event.bank_code, one.event.left and one.event.left.amount) for one in failed] == [
        (1, 123, PRICE),
        (2, 123, PRICE),
    ]
    assert await reserved(running) == 0
    assert await case.out() == (0, 0)


async def test_a_retry_asks_the_bank_before_it_calls(start: "Start", refused: "Refuse") -> None:
    """The bank had made the refund after all: nothing is called again."""
    # given: a refused refund that the bank has made after all
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    await running.sandbox.return_by_bank_staff()
    calls = len(await running.sandbox.requests("/refund"))
    # when: an agent retries it
    assert await case.does(case.retry()) == [None]
    # then: it is settled without a call
    await running.stage.events(RefundSettled)
    assert await case.out() == (PRICE, 0)
    assert len(await running.sandbox.requests("/refund")) == calls


async def test_a_retry_without_a_reply_is_not_repeated_blindly(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund, and a reply that will get lost
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
    # when: an agent retries it
    await case.does(case.retry())
    # then: it is settled, and called once
    await running.stage.events(RefundSettled)
    assert await case.out() == (PRICE, 0)
    assert len(await running.sandbox.requests("/refund")) == 2  # the refused one and the one that was lost


async def test_paid_by_hand_and_confirmed_by_a_second_person(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund
    running = await start()
    case = await refused(running)
    # when: one agent records a payment by hand; then: it is reserved, not booked
    payment = case.payment()
    assert await case.does(payment) == [None]
    assert await reserved(running) == PRICE
    assert await case.out() == (0, 0)
    # when: a second agent confirms it
    decision = case.decision(payment)
    assert await case.does(decision) == [None]
    # then: it is published, settled and booked, once
    [paid] = await running.stage.events(RefundPaidByHand)
    assert (paid.event.amount.amount, paid.event.left.amount, paid.event.way) == (PRICE, 0, "bank_transfer")
    [settled] = await running.stage.events(RefundSettled)
    assert (settled.event.way, settled.event.credited_by) == ("bank_transfer", None)
    assert settled.event.paid_by_hand == settled.event.amount == Money(amount=PRICE, currency="KZT")
    assert await case.out() == (0, PRICE)
    assert await case.state() == "paid_by_hand"
    # when: the same actions come again, and others follow; then: nothing more goes out
    await running.stage.publish(payment, decision, decision)  # read again: nothing follows
    assert await case.does(case.retry(), case.payment(1)) == ["refund_not_refused", "refund_not_refused"]
    assert await case.out() == (0, PRICE)
    assert len(await running.stage.all_events(RefundSettled)) == 1


async def test_in_parts_by_hand_and_the_rest_by_the_bank(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund
    running = await start()
    case = await refused(running)
    # when: a part is paid by hand
    part = case.payment(200000, way="cash")
    assert await case.does(part, case.decision(part)) == [None, None]
    # then: the rest is still owed, and no more than the rest can be paid by hand
    [paid] = await running.stage.events(RefundPaidByHand)
    assert paid.event.left.amount == PRICE - 200000
    assert await running.stage.all_events(RefundSettled) == []
    assert await case.does(case.payment(PRICE - 199999)) == ["more_than_owed"]
    # when: the bank makes the rest
    await running.sandbox.clear_faults()
    assert await case.does(case.retry()) == [None]
    # then: the whole refund is settled
    [settled] = await running.stage.events(RefundSettled)
    assert settled.event.amount.amount == PRICE
    assert settled.event.paid_by_hand is not None
    assert settled.event.paid_by_hand.amount == 200000
    assert await case.out() == (PRICE - 200000, 200000)


async def test_a_rejected_payment_leaves_the_refund_refused(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund
    running = await start()
    case = await refused(running)
    # when: a recorded payment is rejected
    payment = case.payment()
    assert await case.does(payment, case.decision(payment, confirmed=False)) == [None, None]
    # then: nothing stays reserved, and nothing is booked
    assert (await case.state(), await reserved(running)) == ("failed", 0)
    assert await case.out() == (0, 0)
    assert await case.does(case.decision(payment)) == ["decided_before"]
    # when: another one is recorded and confirmed; then: it is booked
    again = case.payment()
    assert await case.does(again, case.decision(again)) == [None, None]
    assert await case.out() == (0, PRICE)


async def test_nobody_confirms_what_they_recorded(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund
    running = await start()
    case = await refused(running)
    # when: an agent confirms the own payment; then: service and database refuse
    payment = case.payment(recorded_by=ANNA)
    assert await case.does(payment, case.decision(payment, decided_by=ANNA)) == [None, "same_person"]
    with pytest.raises(Exception, match="hand_payment_second_person"):
        async with running.service.database.transaction() as tx:
            await tx.execute(
                "UPDATE hand_payments SET state = 'confirmed', decided_by = recorded_by, decided_at = :now", now=tx.now
            )
    assert await case.out() == (0, 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"amount": Money(amount=PRICE + 1, currency="KZT")}, "more_than_owed"),
        ({"amount": Money(amount=0, currency="KZT")}, "more_than_owed"),
        ({"amount": Money(amount=1, currency="USD")}, "wrong_currency"),
        ({"way": "crypto"}, "unknown_way"),
        ({"refund_id": uuid7()}, "unknown_refund"),
    ],
    ids=["too-much", "nothing", "currency", "way", "refund"],
)
async def test_what_may_not_be_paid_by_hand_is_refused_with_its_reason(
    start: "Start", refused: "Refuse", change: JsonObject, reason: str
) -> None:
    # given: a refused refund
    running = await start()
    case = await refused(running)
    # when: a payment is recorded that is not possible
    payment = case.payment().model_copy(update=change)
    # then: it is refused with its reason, and nothing is stored
    assert await case.does(payment) == [reason]
    assert await running.rows("SELECT * FROM hand_payments") == []
    assert await reserved(running) == 0


async def test_nothing_is_paid_by_hand_when_another_refund_used_the_money(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund, and another one that has used the money
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    other = case.approved.model_copy(update={"refund_id": uuid7()})
    await running.stage.publish(other)
    await running.stage.events(RefundSettled)
    # then: neither a person nor the bank can pay it, and nothing is owed
    assert await case.does(case.payment(1)) == ["beyond_payment"]
    await case.does(case.retry())
    failed = await running.stage.events(RefundFailed, count=2)
    assert failed[-1].event.reason == "the refund is larger than what is left of the payment"
    assert await case.out() == (PRICE, 0)

    async def nothing_is_owed() -> bool:
        return bool(running.metric("refunds_refused_open") == 0)

    await running.stage.eventually(nothing_is_owed)


@pytest.mark.parametrize("seed", range(4))
async def test_two_agents_at_once_move_the_money_once(start: "Start", refused: "Refuse", seed: int) -> None:
    """A retry races with two payments by hand: one is taken, and the money goes out once."""
    # given: a refused refund, and a bank that does not refuse any more
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    # when: agents retry it and record two payments at once, in different orders
    payments = [case.payment(recorded_by=ANNA), case.payment(recorded_by=BORIS)]
    actions: list[Action] = [case.retry(), *payments]
    await asyncio.gather(*(running.stage.publish(one) for one in actions[seed % 3 :] + actions[: seed % 3]))
    # then: one action is accepted, and the money goes out once
    answers = [await case.answer(one) for one in actions]
    assert answers.count(None) == 1
    for payment in payments:
        await case.does(case.decision(payment))
    await running.stage.events(RefundSettled)
    bank, by_hand = await case.out()
    assert bank + by_hand == PRICE
    assert 0 in (bank, by_hand)
    assert len(await running.stage.all_events(RefundSettled)) == 1


async def test_nothing_by_hand_while_the_outcome_of_an_attempt_is_unknown(
    start: "Start", case_of: "type[RefusedRefund]"
) -> None:
    # given: a refund with an unknown outcome
    running = await start()
    order = await running.paid()
    await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
    approved = running.refund_approved(order, 200000)
    await running.stage.publish(approved)
    await running.until_rows("SELECT 1 FROM work WHERE state = 'parked'")
    # when: agents act on it; then: service and database refuse
    case = case_of(running, approved)
    assert await case.does(case.payment(200000), case.retry()) == ["refund_not_refused", "refund_not_refused"]
    with pytest.raises(Exception, match="only while the bank has refused it"):
        async with running.service.database.transaction() as tx:
            await tx.execute(_STRAIGHT_INTO_THE_TABLE, id=uuid7(), refund=case.refund_id, now=tx.now, by=ANNA)
    assert await running.rows("SELECT * FROM hand_payments") == []
    # when: an agent says that it was made; then: the bank's refund counts
    path = f"/refunds/{case.refund_id}/finding"
    assert (await running.request("POST", path, key="agent-key", json={"made": True})).status_code == 200
    assert await case.out() == (200000, 0)


async def test_the_database_lets_no_attempt_and_no_more_than_is_owed_beside_a_payment_by_hand(
    start: "Start", refused: "Refuse"
) -> None:
    # given: a payment by hand that waits for a second person
    running = await start()
    case = await refused(running)
    payment = case.payment(200000)
    assert await case.does(payment) == [None]
    # when: a statement breaks a rule; then: the database refuses it
    for statement, guard in (
        ("UPDATE refunds SET state = 'approved'", "that a person is paying"),
        ("UPDATE refunds SET state = 'paid_by_hand'", "only confirmed payments end"),
        ("UPDATE hand_payments SET amount_minor = 1", "stays as it is"),
        ("DELETE FROM hand_payments", "stays as it is"),
        ("UPDATE refunds SET hand_minor = amount_minor + 1", "hand_payments_within_refund"),
    ):
        with pytest.raises(Exception, match=guard):
            async with running.service.database.transaction() as tx:
                await tx.execute(statement)


async def test_the_bank_paid_after_all_before_the_second_person_confirmed(start: "Start", refused: "Refuse") -> None:
    """It is settled as the bank's; the payment by hand is not booked, and an alarm is raised: a person has paid."""
    # given: a payment by hand that waits for a second person
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    payment = case.payment()
    assert await case.does(payment) == [None]
    # when: the bank makes the refund, and the payment is confirmed
    await running.sandbox.return_by_bank_staff()
    assert await case.does(case.decision(payment)) == ["bank_has_paid"]
    [settled] = await running.stage.events(RefundSettled)
    assert settled.event.way is None
    assert await case.out() == (PRICE, 0)
    assert running.metric("refund_hand_payments_total", outcome="bank_has_paid") == 1


async def test_a_bank_that_cannot_be_asked_delays_the_booking(start: "Start", refused: "Refuse") -> None:
    # given: a payment by hand, and a bank that cannot be asked for a while
    running = await start()
    case = await refused(running)
    payment = case.payment()
    await case.does(payment)
    await running.sandbox.faults({"target": "bank.check_status", "effect": "http_error", "times": 2})
    # when: it is confirmed; then: it is booked when the bank has answered
    assert await case.does(case.decision(payment)) == [None]
    assert await case.out() == (0, PRICE)


async def test_what_the_bank_pays_later_is_found_by_the_daily_comparison(start: "Start", refused: "Refuse") -> None:
    # given: a payment by hand that is booked, and a comparison that finds nothing
    running = await start()
    case = await refused(running)
    await running.sandbox.clear_faults()
    payment = case.payment()
    await case.does(payment, case.decision(payment))
    assert (await running.compared())[
        "differences"
    ] == []  # a payment by hand is not at the bank, and nobody expects it there
    # when: the bank makes the refund as well; then: the next comparison finds it
    await running.sandbox.return_by_bank_staff()
    assert [one["what"] for one in (await running.compared())["differences"]] == ["returned_twice"]
    assert running.metric("reconciliation_differences_total", what="returned_twice") == 1


async def test_metrics_show_how_many_refused_refunds_wait_and_how_long(start: "Start", refused: "Refuse") -> None:
    # given: a refused refund; then: metrics and list show it
    running = await start()
    case = await refused(running)

    async def shown() -> bool:
        return bool(
            running.metric("refunds_refused_open") == 1 and running.metric("refunds_refused_oldest_seconds") > 0
        )

    await running.stage.eventually(shown)
    listed = (await running.get("/refunds/refused")).json()["refunds"]
    assert [(one["refund_id"], one["bank_code"]) for one in listed] == [(str(case.refund_id), 123)]
    # when: it is paid by hand; then: the metrics follow
    payment = case.payment()
    await case.does(payment)
    await running.stage.eventually(lambda: _is(running, "refund_hand_payments_unconfirmed", 1))
    await case.does(case.decision(payment))
    await running.stage.eventually(lambda: _is(running, "refunds_refused_open", 0))
    shown_refund = (await running.get(f"/refunds/{case.refund_id}")).json()
    assert shown_refund["state"] == "paid_by_hand"
    assert [one["state"] for one in shown_refund["payments_by_hand"]] == ["confirmed"]


async def _is(running: "Payments", name: str, value: float) -> bool:
    return bool(running.metric(name) == value)


_STRAIGHT_INTO_THE_TABLE = """
INSERT INTO hand_payments (payment_id, refund_id, order_id, amount_minor, currency, way, reference, funds, state,
  recorded_by, recorded_at)
SELECT :id, refund_id, order_id, 1, currency, 'cash', '1', 'buyer_funds', 'recorded', :by, :now
FROM refunds WHERE refund_id = :refund
"""
