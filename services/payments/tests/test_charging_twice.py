"""Second captures of an order (RF 2.4): detected, published and refunded, and only those."""

from typing import TYPE_CHECKING

import pytest

from payments.tables import attempts
from shared.contracts import DuplicateCharged, Money, OrderPaid, RefundFailed, RefundSettled
from shared.ids import uuid7

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start

PRICE = 599050
SLOW = {"poll_first_seconds": 600}


async def test_a_second_capture_is_published_once_and_posted(start: "Start") -> None:
    # given: an order that is paid twice
    running = await start(**SLOW)
    order, charged = await running.paid_twice()
    [paid] = await running.stage.all_events(OrderPaid)
    assert charged.amount == order.price
    assert charged.invoice_id != paid.event.invoice_id
    # when: the bank repeats its webhooks
    await running.sandbox.resend_webhook(charged.invoice_id, times=3, fields={"code": "again"})
    # then: the surplus is published once, counted, and posted as payable
    await running.quiet()
    assert len(await running.stage.all_events(DuplicateCharged)) == 1
    assert running.metric("payment_captures_total", kind="duplicate") == 1
    assert await running.ledger_says() == await running.bank_says()
    ledger = (await running.get(f"/orders/{order.order_id}/ledger")).json()
    assert ledger["balances"] == {"bank_clearing": 2 * PRICE, "buyer_funds": -PRICE, "duplicate_payable": -PRICE}


async def test_the_surplus_charge_is_refunded_and_the_kept_capture_is_not(start: "Start") -> None:
    # given: an order that is paid twice, and a reply to a refund that gets lost
    running = await start(**SLOW)
    order, charged = await running.paid_twice()
    approved = running.refund_approved(order, PRICE, charge_id=charged.charge_id)
    await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
    # when: the refund of the surplus is approved
    await running.stage.publish(approved, approved)
    # then: that charge is returned once, and the other one is kept
    [settled] = await running.stage.events(RefundSettled)
    assert (settled.event.refund_id, settled.event.charge_id) == (approved.refund_id, charged.charge_id)
    await running.quiet()
    totals = await running.bank_says()
    assert totals.pop(int(charged.invoice_id)) == (PRICE, PRICE)
    assert list(totals.values()) == [(PRICE, 0)]
    assert await running.ledger_says() == await running.bank_says()
    # when: the kept charge, and more, is to be refunded too
    await running.stage.publish(running.refund_approved(order, PRICE), running.refund_approved(order, 1))
    # then: it can be returned, and nothing more
    await running.stage.events(RefundSettled, count=2)
    [failed] = await running.stage.events(RefundFailed)
    assert failed.event.amount.amount == 1
    assert await running.ledger_says() == await running.bank_says()


async def test_an_impossible_surplus_refund_fails_without_a_call(start: "Start") -> None:
    # given: an order that is paid twice, and another order
    running = await start(refund_wait_seconds=0.2, **SLOW)
    order, charged = await running.paid_twice()
    other = await running.paid()
    before = await running.ledger_says()
    wrong = [
        running.refund_approved(order, PRICE + 1, charge_id=charged.charge_id),
        running.refund_approved(order, 1, charge_id=charged.charge_id, amount=Money(amount=1, currency="USD")),
        running.refund_approved(other, PRICE, charge_id=charged.charge_id),
        running.refund_approved(order, PRICE, charge_id=uuid7()),
    ]
    # when: impossible refunds are approved: too much, another currency, another order, an unknown charge
    await running.stage.publish(*wrong)
    # then: each fails with its reason, without a call or a posting
    failed = {one.event.refund_id: one.event for one in await running.stage.events(RefundFailed, count=4)}
    assert [failed[one.refund_id].reason for one in wrong] == [
        "the refund is larger than what is left of the payment",
        "the refund is not in the currency of the payment",
        "the charge belongs to another order",
        "there is no payment that could be refunded",
    ]
    assert [failed[one.refund_id].charge_id for one in wrong] == [one.charge_id for one in wrong]
    assert await running.ledger_says() == before == await running.bank_says()
    assert await running.sandbox.requests("/refund") == []


async def test_a_refused_surplus_refund_leaves_the_money_payable(start: "Start") -> None:
    # given: an order that is paid twice, and a bank that refuses one refund
    running = await start(**SLOW)
    order, charged = await running.paid_twice()
    await running.sandbox.faults({"target": "bank.refund", "effect": "refuse", "code": 5, "times": 1})
    # when: the refund of the surplus is approved
    await running.stage.publish(running.refund_approved(order, PRICE, charge_id=charged.charge_id))
    # then: the money stays payable
    await running.stage.events(RefundFailed)
    ledger = (await running.get(f"/orders/{order.order_id}/ledger")).json()
    assert ledger["balances"]["duplicate_payable"] == -PRICE
    assert ledger["balances"]["refunds_payable"] == 0
    # when: it is approved once more
    await running.stage.publish(running.refund_approved(order, PRICE, charge_id=charged.charge_id))
    # then: the bank returns it
    await running.stage.events(RefundSettled)
    assert await running.ledger_says() == await running.bank_says()


async def test_captures_that_an_earlier_version_parked_are_published(start: "Start") -> None:
    # given: a second capture as an earlier release stored it
    running = await start(**SLOW)
    order = await running.paid()
    async with running.service.database.transaction() as tx:
        await tx.insert(
            attempts,
            [
                {
                    "order_id": order.order_id,
                    "number": 2,
                    "secret_hash": "x",
                    "state": "duplicate",
                    "transaction_id": "b2",
                    "opened_at": tx.now,
                }
            ],
        )
        [row] = await tx.execute("SELECT invoice_id FROM attempts WHERE state = 'duplicate'")
        tx.schedule("duplicate_capture", str(row.invoice_id))
    # then: the surplus is published
    [charged] = await running.stage.events(DuplicateCharged)
    assert charged.event.invoice_id == str(row.invoice_id)


@pytest.mark.parametrize("times", [1, 2])
async def test_of_two_captures_in_one_batch_one_is_kept(start: "Start", times: int) -> None:
    """Two webhooks at once for two attempts of one order: one is kept, the other is surplus."""
    # given: two open attempts of one order
    running = await start(**SLOW)
    order = await running.ordered()
    first = await running.page(order)
    # when: both are paid, and the bank's status is known for both at once
    await running.sandbox.faults({"target": "bank.check_status", "effect": "http_error", "times": 2 * times})
    await running.sandbox.pay(first)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET state = 'failed' WHERE order_id = :id", id=order.order_id)
    await running.sandbox.pay(await running.page(order))
    # then: one is kept, and the other is surplus
    [charged] = await running.stage.events(DuplicateCharged)
    paid = await running.paid_event(order)
    assert charged.event.invoice_id != paid.invoice_id
    assert await running.ledger_says() == await running.bank_says()
