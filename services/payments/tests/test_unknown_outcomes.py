"""Unknown outcomes, for every undocumented behaviour of the bank: no refund is made twice, and none is lost."""

import itertools
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from sandbox.storefront import HELD, INSUFFICIENT_FUNDS
from shared.contracts import OrderPlaced, RefundFailed, RefundSettled
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

PRICE = 599050
BEHAVIOURS = [
    {"deduplicate_refunds": deduplicate, "partial_refund_status": status, "amount_after_refund": amount}
    for deduplicate, status, amount in itertools.product((False, True), ("CHARGE", "REFUND"), ("original", "remaining"))
]


async def decided(running: "Payments", refund_id: UUID) -> str:
    """The state of a refund once it is over, or waits for a person."""

    async def over() -> str | None:
        [row] = await running.rows("SELECT state FROM refunds WHERE refund_id = :id", id=refund_id)
        if row["state"] in ("settled", "failed"):
            return str(row["state"])
        parked = await running.rows("SELECT 1 FROM work WHERE state = 'parked' AND key = :key", key=str(refund_id))
        return "parked" if parked else None

    return await running.stage.eventually(over)


async def found_by_an_agent(running: "Payments", refund_id: UUID) -> str:
    """As `decided`; where the status is not enough, an agent looks at the bank and reports the outcome."""
    state = await decided(running, refund_id)
    if state != "parked":
        return state
    made = any(one["externalID"] == str(refund_id) for one in await all_refunds(running))
    path = f"/refunds/{refund_id}/finding"
    answer = await running.request("POST", path, key="agent-key", json={"made": made})
    assert answer.status_code == 200, answer.text
    return await decided(running, refund_id)


async def all_refunds(running: "Payments") -> list[JsonObject]:
    return [refund for one in await running.sandbox.ledger_bank() for refund in one["refunds"]]


@pytest.mark.parametrize("effect", ["lose_reply", "drop"])
async def test_partial_refunds_without_a_reply_are_made_once(start: "Start", effect: str) -> None:
    """Two in a row, so that the second one is judged after an earlier refund."""
    running = await start(refund_doubt_seconds=0.2)
    for behaviour in BEHAVIOURS:
        await running.sandbox.bank_behaviour(**behaviour)
        order = await running.paid()
        states = []
        for amount in (200000, 100000):
            approved = running.refund_approved(order, amount)
            await running.sandbox.faults({"target": "bank.refund", "effect": effect, "times": 1})
            await running.stage.publish(approved)
            await running.until_rows("SELECT 1 FROM refunds WHERE refund_id = :id", id=approved.refund_id)
            states.append(await found_by_an_agent(running, approved.refund_id))
        # A bank that says REFUND after a part of it lets nobody refund the rest.
        second = "failed" if behaviour["partial_refund_status"] == "REFUND" else "settled"
        assert states == ["settled", second], behaviour
        assert await running.ledger_says() == await running.bank_says(), behaviour
    made = [one["externalID"] for one in await all_refunds(running)]
    assert len(made) == len(set(made)) == 12


async def test_a_full_refund_after_a_partial_one_is_made_once(start: "Start") -> None:
    running = await start(refund_doubt_seconds=0.2)
    for behaviour in BEHAVIOURS:
        await running.sandbox.bank_behaviour(**behaviour | {"partial_refund_status": "CHARGE"})
        order = await running.paid()
        rest = running.refund_approved(order, PRICE - 200000)
        await running.stage.publish(running.refund_approved(order, 200000))
        await running.stage.events(RefundSettled, where=partial(_is_about, order))
        await running.sandbox.faults({"target": "bank.refund", "effect": "lose_reply", "times": 1})
        await running.stage.publish(rest)
        await running.until_rows("SELECT 1 FROM refunds WHERE refund_id = :id", id=rest.refund_id)
        assert await found_by_an_agent(running, rest.refund_id) == "settled", behaviour
        assert await running.ledger_says() == await running.bank_says(), behaviour
    assert sum(taken - returned for taken, returned in (await running.bank_says()).values()) == 0


async def test_an_agent_reports_the_outcome_of_a_parked_refund(start: "Start") -> None:
    # given: nothing to decide; then: a report is refused
    running = await start(refund_doubt_seconds=0.3)
    order = await running.paid()
    path = f"/refunds/{uuid7()}/finding"
    assert (await running.request("POST", path, key="agent-key", json={"made": True})).status_code == 409
    assert (await running.request("POST", path, key="shop-key", json={"made": True})).status_code == 401
    assert (await running.request("POST", path, key="agent-key", json={})).status_code == 422
    # given: a refund with an unknown outcome
    approved = running.refund_approved(order, 200000)
    await running.sandbox.faults({"target": "bank.refund", "effect": "drop", "times": 1})
    await running.stage.publish(approved)
    await running.until_rows("SELECT 1 FROM work WHERE state = 'parked'")
    # when: an agent reports twice that it was not made
    path = f"/refunds/{approved.refund_id}/finding"
    for status in (200, 409):
        answer = await running.request("POST", path, key="agent-key", json={"made": False})
        assert answer.status_code == status
    # then: the first report counts, and the refund is made once
    await running.stage.events(RefundSettled)
    await running.quiet()
    assert await running.ledger_says() == await running.bank_says()
    assert await running.stage.all_events(RefundFailed) == []


@pytest.mark.parametrize("effect", ["lose_reply", "drop", "http_error", "refuse"])
async def test_a_cancel_without_a_reply_is_settled_by_asking(start: "Start", effect: str) -> None:
    # given: an attempt whose money is held, and another one that has paid the order
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    first = await running.page(order)
    await running.sandbox.faults({"target": "bank.webhook", "effect": "drop", "times": 1})
    await running.sandbox.pay(first, HELD)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET state = 'failed'")
    await running.sandbox.pay(await running.page(order))
    await running.paid_event(order)
    # when: the bank's reply to the cancellation gets lost, or is an error
    await running.sandbox.faults({"target": "bank.cancel", "effect": effect, "times": 1})
    await running.sandbox.resend_webhook(first["invoiceId"])
    # then: the status settles it, and the books agree
    await running.stage.eventually(lambda: _cancelled(running, first["invoiceId"]))
    await running.quiet()
    assert await running.ledger_says() == await running.bank_says()


def _is_about(order: OrderPlaced, settled: RefundSettled) -> bool:
    return settled.order_id == order.order_id


async def _cancelled(running: "Payments", invoice: str) -> bool:
    transaction = await running.sandbox.transaction(invoice)
    return transaction is not None and transaction["status"] == "CANCEL"


async def test_agents_and_buyers_get_the_reason_of_a_failed_payment(start: "Start") -> None:
    # given: a card without enough money
    running = await start()
    order = await running.ordered()
    await running.sandbox.pay(await running.page(order), INSUFFICIENT_FUNDS)
    await running.until_rows("SELECT 1 FROM attempts WHERE state = 'failed'")
    # when: an agent looks at the attempts
    found = (await running.get(f"/orders/{order.order_id}/attempts")).json()
    # then: there is a sentence for the buyer in each language, and the bank's code for the agent
    [attempt] = found["attempts"]
    assert (attempt["state"], attempt["reason_code"]) == ("failed", 484)
    assert attempt["buyer"] == {
        "en": "There is not enough money on the card.",
        "ru": "На карте недостаточно денег.",
        "kk": "Картада ақша жеткіліксіз.",
        "ka": "ბარათზე თანხა საკმარისი არ არის.",
    }
    assert "484" in attempt["agent"]
    assert (await running.get(f"/orders/{uuid7()}/attempts")).status_code == 404
    assert (await running.get(f"/orders/{order.order_id}/attempts", key="shop-key")).status_code == 401
