"""Cases of buyers and of the system, from the request to the money."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refunds.cases import Fingerprints
from shared.contracts import (
    AppealReceived,
    BuyerErasureRequested,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
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
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())
    assert (case["state"], case["decision"]["verdict"]) == ("observing", "await_observation")
    [requested] = await running.stage.events(RefundRequested)
    assert (requested.event.origin, requested.event.channel, requested.event.reason) == (
        "buyer",
        "form",
        "changed_mind",
    )

    trace = new_traceparent(sampled=True)
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]), trace=trace)
    [revoke] = await running.stage.events(RevocationRequested)
    assert trace_id(revoke.trace) == trace_id(trace)
    assert (str(revoke.event.case_id), revoke.event.grounds[0].clause) == (case["case_id"], "2.1")
    await running.case_in(life, "revoking")
    assert await running.stage.all_events(RefundApproved) == []
    await running.stage.publish(life.revoked(case["case_id"]), trace=trace)
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

    about = event.model_dump(include={"order_id", "order_number", "storefront", "buyer_id", "refund_id", "amount"})
    await running.stage.publish(RefundSettled(**about, settled_at=life.paid_at))
    await running.case_in(life, "settled")
    decisions = await running.rows("SELECT verdict, facts FROM decisions ORDER BY decided_at")
    assert [one["verdict"] for one in decisions] == ["await_observation", "approve"]
    assert decisions[1]["facts"]["profile"]["used_bytes"] == 0
    refused = await running.post(f"/orders/{life.order_id}/refund-requests", ask("other"), "esimka-key")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:already-refunded")


async def test_used_it_is_denied_with_clause_and_appeal(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], installed_at=now, activated_at=now, used_bytes=7))
    [denied] = await running.stage.events(RefundDenied)
    assert denied.event.grounds[0].clause == "3.1"
    assert await running.stage.all_events(RefundApproved) == []
    again = await running.post(f"/orders/{life.order_number}/refund-requests", ask(), "esimka-key")
    assert (again.status_code, again.json()["case_id"], again.json()["state"]) == (200, case["case_id"], "denied")


async def test_an_operator_that_is_away_is_asked_again_and_nobody_is_paid_meanwhile(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, ask())
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"], reached=False))
    asked = await running.stage.events(RefundRequested, count=3)
    assert {str(one.event.case_id) for one in asked} == {case["case_id"]}
    assert await running.stage.all_events(RefundApproved) == []
    await running.case_in(life, "observing")


async def test_an_incomplete_request_is_told_what_is_missing_and_completed(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    case = await running.opened(life, {"reason": "technical_failure", "email": "ann@example.org"})
    assert case["state"] == "information_needed"
    [needed] = await running.stage.events(InformationNeeded)
    assert set(needed.event.missing) == {"full_name", "payment_date", "evidence"}
    more = await running.post(
        f"/orders/{life.order_id}/refund-requests",
        {"reason": "technical_failure", "full_name": "Kanareika", "payment_date": "2026-11-20", "evidence": ["shot-1"]},
        "esimka-key",
    )
    assert (more.status_code, more.json()["case_id"]) == (200, case["case_id"])
    assert more.json()["state"] == "support"
    assert more.json()["due_kind"] == "decide_by"
    kept = await running.rows("SELECT kind, text FROM notes")
    assert kept == [{"kind": "evidence", "text": "shot-1"}]
    for table in ("cases", "audit", "decisions"):
        assert not await running.rows(f"SELECT 1 FROM {table} t WHERE t::text ~* 'kanareika'")


@pytest.mark.long
async def test_a_failure_is_found_and_not_restored_in_time(start: "Start") -> None:
    running = await start()
    life = await running.delivered(paid_ago=timedelta(days=10))
    received = running.service.clock.now() - timedelta(hours=71, minutes=59, seconds=45)
    body = ask("technical_failure", evidence=["shot"], received_at=received.isoformat())
    case = await running.opened(life, body, "agent-key")
    found = await running.post(f"/cases/{case['case_id']}/findings", {"finding": "technical_failure"})
    assert (found.status_code, found.json()["state"]) == (200, "restoration"), found.text
    assert found.json()["due_kind"] == "restore_by"
    # Installed, so that RF 2.1 grants nothing; looked at while the 72 hours ran, and once more when they are over.
    early = running.service.clock.now()
    await running.stage.publish(life.observed(early, case["case_id"], state="installed", installed_at=early))
    await running.case_in(life, "observing")
    late = running.service.clock.now()
    await running.stage.publish(life.observed(late, case["case_id"], state="installed", installed_at=early))
    [revoke] = await running.stage.events(RevocationRequested)
    await running.stage.publish(life.revoked(revoke.event.case_id))
    [approved] = await running.stage.events(RefundApproved)
    assert [ground.clause for ground in approved.event.grounds] == ["2.2"]
    assert (await running.rows("SELECT decided_by FROM cases"))[0]["decided_by"] == "system"


async def test_what_went_back_by_another_case_needs_no_answer(start: "Start") -> None:
    running = await start()
    life = running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=1))
    await running.stage.publish(life.paid())
    await running.stage.eventually(lambda: running.rows("SELECT 1 FROM order_facts"))
    waiting = await running.opened(life, {"reason": "technical_failure", "email": "ann@example.org"})
    assert waiting["state"] == "information_needed"
    await running.stage.publish(life.failed())
    await running.stage.events(RefundApproved)
    await running.stage.publish(life.settled())

    async def closed() -> bool:
        rows = await running.rows("SELECT ground, closed_as FROM cases")
        return {row["ground"]: row["closed_as"] for row in rows} == {
            "generation_failed": "settled",
            "technical_failure": "superseded",
        }

    await running.stage.eventually(closed)
    assert len(await running.stage.all_events(RefundApproved)) == 1


async def test_money_taken_twice_goes_back_once_for_each(start: "Start") -> None:
    running = await start()
    lives = [await running.delivered(shop) for shop in ("esimka", "qazaq-esim")]
    twice = [life.charged_twice() for life in lives]
    await running.stage.publish(*twice, *twice)
    approved = await running.stage.events(RefundApproved, count=2)
    assert {one.event.charge_id for one in approved} == {one.charge_id for one in twice}
    assert all(
        one.event.amount == lives[0].money.model_copy(update={"currency": one.event.amount.currency})
        for one in approved
    )
    assert not any(one.event.revoke_profile for one in approved)
    joined = await running.post(f"/orders/{lives[0].order_id}/refund-requests", ask("double_charge"), "esimka-key")
    assert joined.status_code == 200
    # The order itself may still be returned.
    case = await running.opened(lives[0], ask())
    await running.stage.publish(lives[0].observed(running.service.clock.now(), case["case_id"]))
    [revoke] = await running.stage.events(RevocationRequested)
    await running.stage.publish(lives[0].revoked(revoke.event.case_id))
    await running.stage.events(RefundApproved, count=3)


async def test_a_cancellation_revokes_first_and_pays_then(start: "Start") -> None:
    running = await start()
    life = await running.delivered("e-sim-onl")
    path = f"/orders/{life.order_id}/cancellation"
    answer = await running.post(path, {"email": "ann@example.org"}, "onl-key")
    assert (answer.status_code, answer.json()["state"]) == (201, "observing"), answer.text
    case_id = answer.json()["case_id"]
    await running.stage.publish(life.observed(running.service.clock.now(), case_id))
    await running.stage.events(CancellationAccepted)
    await running.case_in(life, "revoking")
    assert await running.stage.all_events(RefundApproved) == []
    await running.stage.publish(life.revoked(case_id))
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.grounds[0].clause, approved.event.code) == ("1", "revoked")
    assert await running.stage.all_events(RevocationRequested) == []
    other = await running.delivered("esimka")
    refused = await running.post(f"/orders/{other.order_id}/cancellation", {}, "esimka-key")
    assert refused.json()["type"] == "urn:problem:no-cancellation"


async def test_a_cancellation_that_the_operator_refuses_is_denied(start: "Start") -> None:
    running = await start()
    life = await running.delivered("e-sim-onl")
    answer = await running.post(f"/orders/{life.order_id}/cancellation", {"email": "a@example.org"}, "onl-key")
    case_id = answer.json()["case_id"]
    await running.stage.publish(life.observed(running.service.clock.now(), case_id))
    await running.stage.events(CancellationAccepted)
    await running.stage.publish(life.revocation_refused(case_id))
    [denied] = await running.stage.events(RefundDenied)
    assert [ground.clause for ground in denied.event.grounds] == ["5", "1"]
    assert await running.stage.all_events(RefundApproved) == []


async def test_an_appeal_is_for_another_agent(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    body = ask("technical_failure", evidence=["shot"])
    case = await running.opened(life, body, "agent-key")
    path = f"/cases/{case['case_id']}"
    early = await running.post(f"{path}/appeals", {}, "esimka-key")
    assert early.json()["type"] == "urn:problem:not-now"
    await running.post(f"{path}/findings", {"finding": "no_failure"}, "agent-key")
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], installed_at=now, activated_at=now, used_bytes=7))
    await running.case_in(life, "denied")
    appealed = await running.post(f"{path}/appeals", {"text": "It never worked"}, "esimka-key")
    assert (appealed.status_code, appealed.json()["state"], appealed.json()["due_kind"]) == (201, "appealed", "appeal")
    await running.stage.events(AppealReceived)
    same = await running.post(f"{path}/findings", {}, "agent-key")
    assert (same.status_code, same.json()["type"]) == (409, "urn:problem:not-now")
    other = await running.post(f"{path}/findings", {"legal_rule": "Law on consumers, art. 5"}, "boris-key")
    assert other.json()["state"] == "revoking", other.text
    await running.stage.events(RevocationRequested)
    # The law does not ask whether the profile can be taken back.
    await running.stage.publish(life.revocation_refused(case["case_id"]))
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.grounds[0].clause, approved.event.code) == ("2.5", "kept")
    trail = [row["what"] for row in await running.rows("SELECT what FROM audit ORDER BY at, entry_id")]
    assert trail.count("decided") == 4
    with pytest.raises(Exception, match="written once"):
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE audit SET who = 'nobody'")


async def test_an_undelivered_order_pays_back_by_itself_once_everything_is_read(start: "Start") -> None:
    running = await start()
    late, made = (running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=25)) for _ in range(2))
    alarmed = running.life("qazaq-esim", "KZT", running.service.clock.now() - timedelta(hours=25))
    bounced = running.life("esimka", "USD", running.service.clock.now() - timedelta(hours=25))
    await running.stage.publish(bounced.delivery_failed())
    await running.stage.eventually(lambda: running.rows("SELECT 1 FROM order_facts"))
    await running.stage.publish(bounced.paid(), late.paid(), made.paid(), alarmed.paid())
    await running.stage.publish(made.generated(), made.delivered())
    [revoke] = await running.stage.events(RevocationRequested)
    assert (revoke.event.order_id, revoke.event.grounds[0].clause) == (late.order_id, "2.3")
    # Nothing was made: provisioning gives up, and then there is nothing to revoke.
    await running.stage.publish(late.failed())
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.order_id, approved.event.code) == (late.order_id, "none")
    told = "SELECT order_id FROM audit WHERE what = 'delivery_overdue'"

    async def all_told() -> bool:
        return {row["order_id"] for row in await running.rows(told)} == {
            late.order_id,
            alarmed.order_id,
            bounced.order_id,
        }

    await running.stage.eventually(all_told)
    assert len(await running.stage.all_events(RefundApproved)) == 1


async def test_a_claim_has_its_own_queue_and_thirty_days(start: "Start") -> None:
    running = await start()
    life = await running.delivered("qazaq-esim")
    body = {"order": life.order_number, "reference": "2026/17"}
    first = await running.post("/claims", body, "qazaq-key")
    assert first.status_code == 201, first.text
    assert (await running.post("/claims", body, "qazaq-key")).status_code == 200
    [received] = await running.stage.events(ClaimReceived)
    days = received.event.answer_by - received.event.received_at
    assert timedelta(days=30) <= days <= timedelta(days=31)
    late = {**body, "reference": "old", "received_at": (life.paid_at - timedelta(days=40)).isoformat()}
    await running.post("/claims", late)
    missed = "SELECT 1 FROM claims WHERE alarmed_at IS NOT NULL"
    await running.stage.eventually(lambda: running.rows(missed))
    queue = (await running.get("/claims")).json()
    assert [claim["reference"] for claim in queue] == ["old", "2026/17"]
    assert (await running.post(f"/claims/{queue[0]['claim_id']}/answer")).status_code == 204
    assert (await running.post(f"/claims/{queue[0]['claim_id']}/answer")).status_code == 404
    [answered] = [one.event for one in await running.stage.events(ClaimAnswered)]
    assert (str(answered.claim_id), answered.answer_id) == (queue[0]["claim_id"], None)


async def test_a_strangers_address_is_no_proof_and_an_erased_buyer_leaves_nothing(start: "Start") -> None:
    running = await start()
    life = await running.delivered("e-sim-onl")
    await running.stage.publish(life.contact())
    await running.stage.eventually(lambda: running.rows("SELECT 1 FROM contacts"))
    case = await running.opened(life, ask(email="eve@example.org"), "onl-key")
    assert case["decision"]["missing"] == ["email"]
    more = await running.post(f"/orders/{life.order_id}/refund-requests", ask(email="Ann@Example.org"), "onl-key")
    assert more.json()["state"] == "observing"
    buyer = life.contact().key()
    request = BuyerErasureRequested(
        buyer_id=buyer, storefront="e-sim-onl", request_id=uuid7(), requested_at=running.service.clock.now()
    )
    await running.stage.publish(request)
    [erased] = await running.stage.events(RefundsBuyerErased)
    assert str(erased.event.buyer_id) == buyer
    assert await running.rows("SELECT 1 FROM notes") == []
    assert await running.rows("SELECT 1 FROM contacts WHERE email_hash IS NOT NULL") == []
    assert Fingerprints(b"one").email("a@b.c") != Fingerprints(b"two").email("a@b.c")


async def test_eligibility_is_told_before_asking(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    answer = await running.get(f"/orders/{life.order_id}/refund-eligibility", "esimka-key")
    assert answer.status_code == 200, answer.text
    found = {one["reason"]: one for one in answer.json()["answers"]}
    assert found["changed_mind"]["verdict"] == "await_observation"
    assert found["changed_mind"]["until"] is not None
    conditions = {one["condition"]: one["verdict"] for one in found["changed_mind"]["would_change"]}
    assert (conditions["operator_confirms_unused"], conditions["activated"]) == ("approve", "deny")
    assert await running.rows("SELECT 1 FROM cases") == []


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("wrong", 401), ("qazaq-key", 404)])
async def test_a_shop_asks_for_its_own_orders(start: "Start", key: str | None, status: int) -> None:
    running = await start()
    life = await running.delivered()
    answer = await running.post(f"/orders/{life.order_id}/refund-requests", ask(), key)
    assert answer.status_code == status
    wrong = await running.post(
        f"/orders/{life.order_id}/refund-requests", {"reason": "boredom", "email": "x"}, "esimka-key"
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "reason")


async def test_the_same_request_at_once_opens_one_case(start: "Start") -> None:
    running = await start(observation_retry_seconds=600)  # asking again for a look at the profile tells the case again
    life = await running.delivered()
    answers = await asyncio.gather(*(running.post(f"/orders/{life.order_id}/refund-requests", ask()) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["case_id"] for answer in answers}) == 1
    await running.stage.events(RefundRequested)
    assert len(await running.stage.all_events(RefundRequested)) == 1


@pytest.mark.long
async def test_a_missed_deadline_is_an_alarm_and_the_figures_tell_before(start: "Start") -> None:
    running = await start()
    life = await running.delivered(paid_ago=timedelta(days=40))
    received = (running.service.clock.now() - timedelta(days=30)).isoformat()
    body = ask("technical_failure", evidence=["shot"], received_at=received)
    case = await running.opened(life, body, "agent-key")
    assert case["state"] == "support"
    [missed] = await running.rows("SELECT detail FROM audit WHERE what = 'deadline_missed'")
    assert missed["detail"]["kind"] == "decide_by"

    async def counted() -> bool:
        metrics = (await running.get("/metrics")).text
        overdue = 'refund_deadlines{kind="decide_by",storefront="esimka",window="overdue"} 1.0'
        return (
            overdue in metrics and 'refund_deadlines_missed_total{kind="decide_by",storefront="esimka"} 1.0' in metrics
        )

    await running.stage.eventually(counted)
