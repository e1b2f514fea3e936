"""A shop returns money by its own decision: once for each key, never more than is left (PO 6.3), I13 kept."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import httpx

from refunds.cases.models.bodies import CancellationRequest, ShopRefundBody
from refunds.cases.views import CaseView
from refunds.interface import INTERFACE
from shared.contracts import Money, RefundApproved, RevocationRequested
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

KEY = "esimka-key"
PRICE = 599000


async def decide(
    running: "Refunds",
    life: "Life",
    key: str,
    amount: object = None,
    *,
    caller: str = KEY,
    reason: str = "The data ran slowly.",
    currency: str = "USD",
) -> httpx.Response:
    body: JsonObject = {"reason": reason}
    if amount is not None:
        body["amount"] = {"amount": amount, "currency": currency}
    headers = {"authorization": f"Bearer {caller}", "idempotency-key": key}
    async with httpx.AsyncClient(base_url=running.address, timeout=30) as client:
        return await client.post(f"/orders/{life.order_number}/refund", json=body, headers=headers)


def test_the_examples_of_a_shops_requests_are_complete() -> None:
    for operation, body in (("refund", ShopRefundBody), ("cancellation", CancellationRequest)):
        example = INTERFACE.examples[f"POST /orders/{{order}}/{operation}"]
        body.model_validate(example.body)
        CaseView.model_validate(example.answer)
        assert set(example.answer) == set(CaseView.model_fields)


async def test_a_part_goes_back_at_once_and_the_buyer_keeps_the_esim(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    first = await decide(running, life, "k1", 1000)
    assert (first.status_code, first.json()["state"]) == (201, "paying"), first.text
    again = await decide(running, life, "k1", 1000)
    assert (again.status_code, again.json()["case_id"]) == (200, first.json()["case_id"])
    assert first.json()["shop_amount"] == {"amount": 1000, "currency": "USD"}

    [approved] = await running.stage.events(RefundApproved)
    event = approved.event
    assert (event.amount.amount, event.code, str(event.case_id)) == (1000, "kept", first.json()["case_id"])
    assert (event.remaining_payment, event.is_part) == (Money(amount=PRICE - 1000, currency="USD"), True)
    assert [(ground.document, ground.clause) for ground in event.grounds] == [("PO", "6.3")]
    assert "slowly" not in event.model_dump_json(), "the reason may name the buyer"
    assert await running.stage.all_events(RevocationRequested) == []
    [note] = await running.rows("SELECT kind FROM notes")
    assert note["kind"] == "shop_decision"


async def test_all_that_is_left_goes_back_after_the_esim_is_revoked(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    await decide(running, life, "k1", 1000)
    rest = await decide(running, life, "k2")
    assert (rest.status_code, rest.json()["state"]) == (201, "revoking"), rest.text
    case_id = rest.json()["case_id"]
    assert len(await running.stage.all_events(RefundApproved)) == 1, "no money before the operator's confirmation"
    [revocation] = await running.stage.events(RevocationRequested)
    assert str(revocation.event.case_id) == case_id

    await running.stage.publish(life.revoked(case_id))
    approvals = await running.stage.events(RefundApproved, count=2)
    assert sorted(received.event.amount.amount for received in approvals) == [1000, PRICE - 1000]
    assert [received.event.is_part for received in sorted(approvals, key=lambda each: each.event.approved_at)] == [
        True,
        False,
    ]
    nothing = await decide(running, life, "k3", 1)
    assert (nothing.status_code, nothing.json()["type"]) == (409, "urn:problem:already-refunded")
    assert (await decide(running, life, "k2")).json()["case_id"] == case_id


async def test_a_code_in_use_leaves_the_whole_refund_to_a_person(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    case_id = (await decide(running, life, "k1")).json()["case_id"]
    await running.stage.publish(life.revocation_refused(case_id))

    async def waits() -> bool:
        return await running.state(life) == "needs_person"

    await running.stage.eventually(waits)
    assert await running.stage.all_events(RefundApproved) == []


async def test_many_decisions_at_once_return_no_more_than_was_paid(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    third = PRICE // 3 + 1
    answers = await asyncio.gather(*(decide(running, life, f"k{number}", third) for number in range(6)))
    assert Counter(answer.status_code for answer in answers) == {201: 2, 422: 4}
    refused = next(answer for answer in answers if answer.status_code == 422).json()
    assert refused["type"] == "urn:problem:impossible-amount"
    [row] = await running.rows("SELECT approved_minor FROM order_facts WHERE order_id = :id", id=life.order_id)
    assert row["approved_minor"] == 2 * third
    # What a policy grants afterwards is what is left, in an explanation that says so.
    await running.post(
        f"/orders/{life.order_id}/refund-requests", {"reason": "other", "provided": ["full_name", "email", "phone"]}
    )
    [open_case] = [
        case for case in (await running.get(f"/cases/{life.order_id}")).json()["cases"] if case["ground"] == "other"
    ]
    assert open_case["shop_amount"] is None


async def test_what_cannot_be_decided_is_refused_with_the_reason(start: "Start") -> None:
    running = await start()
    life, other = await running.delivered(), await running.delivered()
    unpaid = running.life("esimka", "USD")
    assert (await decide(running, life, "k1", 100)).status_code == 201
    refusals = {
        "idempotency-key-reused": [
            await decide(running, life, "k1", 200),
            await decide(running, life, "k1", 100, reason="another"),
            await decide(running, other, "k1", 100),
        ],
        "impossible-amount": [
            await decide(running, life, "a", PRICE),
            await decide(running, life, "b", 0),
            await decide(running, life, "c", 5, currency="KZT"),
        ],
        "unknown-order": [await decide(running, unpaid, "d"), await decide(running, life, "e", caller="onl-key")],
        "shops-only": [await decide(running, life, "f", caller="agent-key")],
        "invalid-request": [
            await decide(running, life, "g", reason=""),
            await decide(running, life, "h", -1),
            await decide(running, life, "h", 1.5),
            await running.post(f"/orders/{life.order_id}/refund", {"reason": "x"}, KEY),
        ],
        "unknown-api-key": [await decide(running, life, "i", caller="nobody")],
    }
    for kind, answers in refusals.items():
        assert [answer.json()["type"] for answer in answers] == [f"urn:problem:{kind}"] * len(answers), kind
    assert len(await running.stage.all_events(RefundApproved)) == 1
