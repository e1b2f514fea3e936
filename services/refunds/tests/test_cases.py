"""Cases of buyers and of the system, from the request to the money."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refunds.cases import Fingerprints
from shared.contracts import (
    BuyerErasureRequested,
    InformationNeeded,
    RefundApproved,
    RefundDenied,
    RefundRequested,
    RefundsBuyerErased,
    RefundSettled,
    RevocationRequested,
)
from shared.ids import uuid7
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start

COMPLETE = {
    "channel": "form",
    "full_name": "Ann Kanareika",
    "email": "ann@example.org",
    "payment_date": "2026-11-20",
    "circumstances": "I do not need it",
}


def ask(reason: str = "changed_mind", **other: object) -> JsonObject:
    return {**COMPLETE, "reason": reason, **other}


async def test_unused_it_is_observed_approved_and_settled(start: "Start") -> None:
    # given: a delivered order, whose buyer asks for the money back
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())

    # then: the case waits for what the operator knows of the profile
    assert (case["state"], case["decision"]["verdict"]) == ("observing", "await_observation")
    [requested] = await running.stage.events(RefundRequested)
    assert (requested.event.origin, requested.event.channel, requested.event.reason) == (
        "buyer",
        "form",
        "changed_mind",
    )

    # when: the operator reports that the profile is unused
    trace = new_traceparent(sampled=True)
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]), trace=trace)

    # then: the profile is revoked first (I13), and no money has moved
    [revoke] = await running.stage.events(RevocationRequested)
    assert trace_id(revoke.trace) == trace_id(trace)
    assert (str(revoke.event.case_id), revoke.event.grounds[0].clause) == (case["case_id"], "2.1")
    await running.case_in(life, "revoking")
    assert await running.stage.all_events(RefundApproved) == []

    # when: provisioning has revoked it
    await running.stage.publish(life.revoked(case["case_id"]), trace=trace)

    # then: the refund is approved, by the clause and with its dates
    [approved] = await running.stage.events(RefundApproved)
    event = approved.event
    assert trace_id(approved.trace) == trace_id(trace)
    assert (event.amount, event.code, event.revoke_profile, event.grounds[0].clause) == (
        life.money,
        "revoked",
        False,
        "2.1",
    )
    assert event.pay_by is not None
    assert event.credited_by is not None
    await running.case_in(life, "paying")

    # when: the bank has returned the money
    about = event.model_dump(include={"order_id", "order_number", "storefront", "buyer_id", "refund_id", "amount"})
    await running.stage.publish(RefundSettled(**about, settled_at=life.paid_at))

    # then: the case is settled, its decisions are kept, and no other opens
    await running.case_in(life, "settled")
    decisions = await running.rows("SELECT verdict, facts FROM decisions ORDER BY decided_at")
    assert [one["verdict"] for one in decisions] == ["await_observation", "approve"]
    assert decisions[1]["facts"]["profile"]["used_bytes"] == 0
    refused = await running.post(f"/orders/{life.order_id}/refund-requests", ask("other"), "esimka-key")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:already-refunded")


async def test_used_it_is_denied_with_clause_and_appeal(start: "Start") -> None:
    # given: a delivered order, whose buyer asks for the money back
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())

    # when: the operator reports that the profile is used
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], installed_at=now, activated_at=now, used_bytes=7))

    # then: the request is denied by its clause
    [denied] = await running.stage.events(RefundDenied)
    assert denied.event.grounds[0].clause == "3.1"
    assert await running.stage.all_events(RefundApproved) == []

    # then: asking again leads to the same case
    again = await running.post(f"/orders/{life.order_number}/refund-requests", ask(), "esimka-key")
    assert (again.status_code, again.json()["case_id"], again.json()["state"]) == (200, case["case_id"], "denied")


async def test_an_operator_that_is_away_is_asked_again_and_nobody_is_paid_meanwhile(start: "Start") -> None:
    # given: a case that waits for the operator's report
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())

    # when: the operator cannot be reached
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"], reached=False))

    # then: the operator is asked again, and nobody is paid
    asked = await running.stage.events(RefundRequested, count=3)
    assert {str(one.event.case_id) for one in asked} == {case["case_id"]}
    assert await running.stage.all_events(RefundApproved) == []
    await running.case_in(life, "observing")


async def test_an_incomplete_request_is_answered_with_what_is_missing_and_completed(start: "Start") -> None:
    # given: a delivered order
    running = await start()
    life = await running.delivered()

    # when: its buyer sends an incomplete request
    case = await running.opened(life, {"reason": "technical_failure", "email": "ann@example.org"})

    # then: the case waits, and the buyer hears what is missing
    assert case["state"] == "information_needed"
    [needed] = await running.stage.events(InformationNeeded)
    assert set(needed.event.missing) == {"full_name", "payment_date", "evidence"}

    # when: the rest comes
    more = await running.post(
        f"/orders/{life.order_id}/refund-requests",
        {"reason": "technical_failure", "full_name": "Kanareika", "payment_date": "2026-11-20", "evidence": ["shot-1"]},
        "esimka-key",
    )

    # then: support decides, by a date
    assert (more.status_code, more.json()["case_id"]) == (200, case["case_id"])
    assert more.json()["state"] == "support"
    assert more.json()["due_kind"] == "decide_by"

    # then: the evidence is kept apart, and nothing of the buyer beside the decision
    kept = await running.rows("SELECT kind, text FROM notes")
    assert kept == [{"kind": "evidence", "text": "shot-1"}]
    for table in ("cases", "audit", "decisions"):
        assert not await running.rows(f"SELECT 1 FROM {table} t WHERE t::text ~* 'kanareika'")


@pytest.mark.long
async def test_a_failure_is_found_and_not_restored_in_time(start: "Start") -> None:
    # given: a request of nearly 72 hours ago
    running = await start()
    life = await running.delivered(paid_ago=timedelta(days=10))
    received = running.service.clock.now() - timedelta(hours=71, minutes=59, seconds=45)
    body = ask("technical_failure", evidence=["shot"], received_at=received.isoformat())
    case = await running.opened(life, body, "agent-key")

    # when: support finds a technical failure
    found = await running.post(f"/cases/{case['case_id']}/findings", {"finding": "technical_failure"})

    # then: the 72 hours run
    assert (found.status_code, found.json()["state"]) == (200, "restoration"), found.text
    assert found.json()["due_kind"] == "restore_by"

    # when: the operator reports the profile as installed, before and after their end
    # Installed, so that RF 2.1 grants nothing; looked at while the 72 hours ran, and once more when they are over.
    early = running.service.clock.now()
    await running.stage.publish(life.observed(early, case["case_id"], state="installed", installed_at=early))
    await running.case_in(life, "observing")
    late = running.service.clock.now()
    await running.stage.publish(life.observed(late, case["case_id"], state="installed", installed_at=early))

    # then: the profile is revoked, and the refund approved by RF 2.2, without a person
    [revoke] = await running.stage.events(RevocationRequested)
    await running.stage.publish(life.revoked(revoke.event.case_id))
    [approved] = await running.stage.events(RefundApproved)
    assert [ground.clause for ground in approved.event.grounds] == ["2.2"]
    assert (await running.rows("SELECT decided_by FROM cases"))[0]["decided_by"] == "system"


async def test_what_went_back_by_another_case_needs_no_answer(start: "Start") -> None:
    # given: an order whose buyer has sent an incomplete request
    running = await start()
    life = running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=1))
    await running.stage.publish(life.paid())
    await running.until_rows("SELECT 1 FROM order_facts")
    waiting = await running.opened(life, {"reason": "technical_failure", "email": "ann@example.org"})
    assert waiting["state"] == "information_needed"

    # when: the generation fails, and that case pays the money back
    await running.stage.publish(life.failed())
    await running.stage.events(RefundApproved)
    await running.stage.publish(life.settled())

    # then: the buyer's case is superseded, and the money goes back once
    async def closed() -> bool:
        rows = await running.rows("SELECT ground, closed_as FROM cases")
        return {row["ground"]: row["closed_as"] for row in rows} == {
            "generation_failed": "settled",
            "technical_failure": "superseded",
        }

    await running.stage.eventually(closed)
    assert len(await running.stage.all_events(RefundApproved)) == 1


async def test_money_taken_twice_goes_back_once_for_each(start: "Start") -> None:
    # when: two orders are charged twice, and each fact comes twice
    running = await start()
    lives = [await running.delivered(shop) for shop in ("esimka", "qazaq-esim")]
    twice = [life.charged_twice() for life in lives]
    await running.stage.publish(*twice, *twice)

    # then: each surplus charge goes back once, and no profile is touched
    approved = await running.stage.events(RefundApproved, count=2)
    assert {one.event.charge_id for one in approved} == {one.charge_id for one in twice}
    assert all(
        one.event.amount == lives[0].money.model_copy(update={"currency": one.event.amount.currency})
        for one in approved
    )
    assert not any(one.event.revoke_profile for one in approved)

    # then: a request for it joins its case
    joined = await running.post(f"/orders/{lives[0].order_id}/refund-requests", ask("double_charge"), "esimka-key")
    assert joined.status_code == 200

    # then: the order itself may still be returned
    # The order itself may still be returned.
    case = await running.opened(lives[0], ask())
    await running.stage.publish(lives[0].observed(running.service.clock.now(), case["case_id"]))
    [revoke] = await running.stage.events(RevocationRequested)
    await running.stage.publish(lives[0].revoked(revoke.event.case_id))
    await running.stage.events(RefundApproved, count=3)


async def test_an_undelivered_order_pays_back_by_itself_once_everything_is_read(start: "Start") -> None:
    # given: four orders of yesterday: one late, one delivered, one of a shop without this clause, one bounced
    running = await start()
    late, made = (running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=25)) for _ in range(2))
    alarmed = running.life("qazaq-esim", "KZT", running.service.clock.now() - timedelta(hours=25))
    bounced = running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=25))

    # when: their facts arrive
    await running.stage.publish(bounced.delivery_failed())
    await running.until_rows("SELECT 1 FROM order_facts")
    await running.stage.publish(bounced.paid(), late.paid(), made.paid(), alarmed.paid())
    await running.stage.publish(made.generated(), made.delivered())

    # then: the late one is revoked (RF 2.3)
    [revoke] = await running.stage.events(RevocationRequested)
    assert (revoke.event.order_id, revoke.event.grounds[0].clause) == (late.order_id, "2.3")

    # when: provisioning gives it up, so that there is nothing to revoke
    # Nothing was made: provisioning gives up, and then there is nothing to revoke.
    await running.stage.publish(late.failed())

    # then: its money goes back, and a person hears of the others
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.order_id, approved.event.code) == (late.order_id, "none")
    overdue = "SELECT order_id FROM audit WHERE what = 'delivery_overdue'"

    async def all_recorded() -> bool:
        return {row["order_id"] for row in await running.rows(overdue)} == {
            late.order_id,
            alarmed.order_id,
            bounced.order_id,
        }

    await running.stage.eventually(all_recorded)
    assert len(await running.stage.all_events(RefundApproved)) == 1


async def test_a_strangers_address_is_no_proof_and_an_erased_buyer_leaves_nothing(start: "Start") -> None:
    # given: a delivered order with its buyer's contact
    running = await start()
    life = await running.delivered("e-sim-onl")
    await running.stage.publish(life.contact())
    await running.until_rows("SELECT 1 FROM contacts")

    # when: a stranger asks with an address of their own
    case = await running.opened(life, ask(email="eve@example.org"), "onl-key")

    # then: the case asks for the buyer's, and goes on with it
    assert case["decision"]["missing"] == ["email"]
    more = await running.post(f"/orders/{life.order_id}/refund-requests", ask(email="Ann@Example.org"), "onl-key")
    assert more.json()["state"] == "observing"

    # when: the buyer is erased
    buyer = life.contact().key()
    request = BuyerErasureRequested(
        buyer_id=buyer, storefront="e-sim-onl", request_id=uuid7(), requested_at=running.service.clock.now()
    )
    await running.stage.publish(request)

    # then: nothing of them is left, and no fingerprint fits another key
    [erased] = await running.stage.events(RefundsBuyerErased)
    assert str(erased.event.buyer_id) == buyer
    assert await running.rows("SELECT 1 FROM notes") == []
    assert await running.rows("SELECT 1 FROM contacts WHERE email_hash IS NOT NULL") == []
    assert Fingerprints(b"one").email("a@b.c") != Fingerprints(b"two").email("a@b.c")


async def test_eligibility_is_shown_before_a_request(start: "Start") -> None:
    # given: a delivered order
    running = await start()
    life = await running.delivered()

    # when: its shop asks what a request would lead to
    answer = await running.get(f"/orders/{life.order_id}/refund-eligibility", "esimka-key")

    # then: each reason has its verdict and what would change it, and no case is opened
    assert answer.status_code == 200, answer.text
    found = {one["reason"]: one for one in answer.json()["answers"]}
    assert found["changed_mind"]["verdict"] == "await_observation"
    assert found["changed_mind"]["until"] is not None
    conditions = {one["condition"]: one["verdict"] for one in found["changed_mind"]["would_change"]}
    assert (conditions["operator_confirms_unused"], conditions["activated"]) == ("approve", "deny")
    assert await running.rows("SELECT 1 FROM cases") == []


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), ("qazaq-key", 404)])
async def test_a_shop_asks_for_its_own_orders(start: "Start", key: str | None, status: int) -> None:
    # given: a delivered order
    running = await start()
    life = await running.delivered()

    # when: somebody else asks for its money back
    answer = await running.post(f"/orders/{life.order_id}/refund-requests", ask(), key)

    # then: they are refused
    assert answer.status_code == status

    # then: a reason that is none is refused by its field
    wrong = await running.post(
        f"/orders/{life.order_id}/refund-requests", {"reason": "boredom", "email": "x"}, "esimka-key"
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reason")


async def test_the_same_request_at_once_opens_one_case(start: "Start") -> None:
    # given: a delivered order
    running = await start(observation_retry_seconds=600)  # asking again for a look at the profile tells the case again
    life = await running.delivered()

    # when: the same request comes eight times at once
    answers = await asyncio.gather(*(running.post(f"/orders/{life.order_id}/refund-requests", ask()) for _ in range(8)))

    # then: one case is open, and published once
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    await running.stage.events(RefundRequested)
    assert len(await running.stage.all_events(RefundRequested)) == 1


@pytest.mark.long
async def test_a_missed_deadline_is_an_alarm_and_the_metrics_tell_before(start: "Start") -> None:
    # given: a case whose documents came 30 days ago
    running = await start()
    life = await running.delivered(paid_ago=timedelta(days=40))
    received = (running.service.clock.now() - timedelta(days=30)).isoformat()
    body = ask("technical_failure", evidence=["shot"], received_at=received)
    case = await running.opened(life, body, "agent-key")

    # then: it waits for support, and its missed date is in the trail
    assert case["state"] == "support"
    [missed] = await running.rows("SELECT detail FROM audit WHERE what = 'deadline_missed'")
    assert missed["detail"]["kind"] == "decide_by"

    # then: the metrics have it
    async def counted() -> bool:
        metrics = (await running.get("/metrics")).text
        overdue = 'refund_deadlines{kind="decide_by",storefront="esimka",window="overdue"} 1.0'
        return (
            overdue in metrics and 'refund_deadlines_missed_total{kind="decide_by",storefront="esimka"} 1.0' in metrics
        )

    await running.stage.eventually(counted)
