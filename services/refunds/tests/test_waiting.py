"""What the operator does not say, says too late, or says otherwise: nobody is paid on it, and no case hangs."""

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.contracts import CancellationAccepted, RefundApproved, RefundDenied, RefundRequested, RevocationRequested
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

#: About a second and a half.
IMPATIENT = {"storefront_observation_patience_hours": {"e-sim-onl": 0.0004, "qazaq-esim": 0.0004}}
ONL = {"reason": "changed_mind", "email": "ann@example.org"}
QAZAQ = {"reason": "technical_failure", "email": "ann@example.org"}


async def asked(running: "Refunds", life: "Life") -> Json:
    return await running.opened(life, ONL, "onl-key")


async def finds(running: "Refunds", case: JsonObject, **found: object) -> httpx.Response:
    return await running.post(f"/cases/{case['case_id']}/findings", found)


@pytest.mark.parametrize(("profile", "state"), [("unused", "revoking"), ("used", "denied")])
async def test_an_operator_that_never_knows_leads_to_a_person_with_both_answers(
    start: "Start", profile: str, state: str
) -> None:
    running = await start(**IMPATIENT)
    life = await running.delivered("e-sim-onl")
    case = await asked(running, life)
    assert case["state"] == "observing"
    await running.stage.publish(
        life.observed(running.service.clock.now(), case["case_id"], state="unknown", used_bytes=None)
    )
    waiting = await running.case_in(life, "needs_person")
    assert waiting["person_why"] == "observation_unanswered"
    assert waiting["possible"] == {
        "if_unused": {"verdict": "approve", "clauses": ["RC 1"]},
        "if_used": {"verdict": "deny", "clauses": ["RC 1"]},
    }
    for event in (RefundApproved, RevocationRequested):
        assert await running.stage.all_events(event) == []
    found = await finds(running, case, profile=profile)
    assert (found.status_code, found.json()["state"], found.json()["person_why"]) == (200, state, None), found.text
    again = await finds(running, case, profile=profile)
    assert again.status_code == 409


async def test_an_operator_that_knows_in_the_end_needs_no_person(start: "Start") -> None:
    running = await start(**IMPATIENT)
    life = await running.delivered("e-sim-onl")
    case = await asked(running, life)
    await running.case_in(life, "needs_person")
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]))
    await running.stage.events(RevocationRequested)
    assert (await running.case_in(life, "revoking"))["person_since"] is None


async def test_a_look_from_before_the_last_document_pays_nothing(start: "Start") -> None:
    running = await start(observation_retry_seconds=600)
    life = await running.delivered("e-sim-onl")
    case = await running.opened(life, {"reason": "changed_mind"}, "onl-key")
    assert case["state"] == "information_needed"
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]))
    await running.until_rows("SELECT 1 FROM observations WHERE used_bytes = 0")
    more = await running.post(f"/orders/{life.order_id}/refund-requests", ONL, "onl-key")
    assert more.json()["state"] == "observing"
    # It is asked at once, and not when the pause since the first question is over.
    first, second = await running.stage.events(RefundRequested, count=2)
    assert second.event.requested_at > first.event.requested_at
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], state="enabled", used_bytes=4 * 10**9))
    [denied] = await running.stage.events(RefundDenied)
    assert denied.event.grounds[0].clause == "1"
    assert await running.stage.all_events(RevocationRequested) == []


async def test_too_late_is_decided_again_on_that_fact(start: "Start") -> None:
    running = await start()
    lives = [await running.delivered("e-sim-onl") for _ in range(2)]
    cases = [await asked(running, life) for life in lives]
    for life, case in zip(lives, cases, strict=True):
        await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]))
    await running.stage.events(RevocationRequested, count=2)
    taken, silent = lives
    # One operator says that a phone has it, the other only that it will not.
    await running.stage.publish(taken.revocation_refused(cases[0]["case_id"], at=running.service.clock.now()))
    await running.case_in(taken, "denied")
    refused_at = running.service.clock.now()
    await running.stage.publish(silent.revocation_refused(cases[1]["case_id"], in_use=None, at=refused_at))
    await running.case_in(silent, "observing")
    await running.stage.publish(silent.observed(refused_at - timedelta(seconds=2), cases[1]["case_id"]))
    await running.stage.publish(silent.observed(running.service.clock.now(), cases[1]["case_id"], state="downloaded"))
    await running.case_in(silent, "denied")
    assert await running.stage.all_events(RefundApproved) == []


async def test_a_profile_that_never_worked_and_cannot_be_taken_back_is_for_a_person(start: "Start") -> None:
    running = await start()
    life = await running.delivered("qazaq-esim")
    case = await running.opened(life, QAZAQ, "qazaq-key")
    early = await finds(running, case, pay_unrevoked=True)
    assert (early.status_code, early.json()["type"]) == (409, "urn:problem:not-now")
    await finds(running, case, finding="technical_failure")
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], state="downloaded"))
    [revoke] = await running.stage.events(RevocationRequested)
    assert revoke.event.grounds[0].clause == "2.1"
    await running.stage.publish(life.revocation_refused(case["case_id"], at=running.service.clock.now()))
    await running.case_in(life, "observing")
    later = running.service.clock.now() + timedelta(seconds=1)
    await running.stage.publish(life.observed(later, case["case_id"], state="downloaded"))
    waiting = await running.case_in(life, "needs_person")
    assert waiting["person_why"] == "revocation_refused"
    assert await running.stage.all_events(RefundApproved) == []
    paid = await finds(running, case, pay_unrevoked=True)
    assert paid.json()["state"] == "paying", paid.text
    [approved] = await running.stage.events(RefundApproved)
    assert approved.event.code == "kept"


async def test_an_operator_that_never_says_whether_it_revoked_leads_to_a_person(start: "Start") -> None:
    running = await start(**IMPATIENT)
    life = await running.delivered("e-sim-onl")
    case = await asked(running, life)
    await running.stage.publish(life.observed(running.service.clock.now(), case["case_id"]))
    await running.stage.events(RevocationRequested)
    waiting = await running.case_in(life, "needs_person")
    assert waiting["person_why"] == "revocation_unanswered"
    assert await running.stage.all_events(RefundApproved) == []
    blocked = await finds(running, case, profile="unused")
    assert blocked.status_code == 409
    # It says so in the end: nobody has to act any more.
    await running.stage.publish(life.revoked(case["case_id"]))
    [approved] = await running.stage.events(RefundApproved)
    assert approved.event.code == "revoked"
    assert (await running.case_in(life, "paying"))["person_why"] is None


async def test_cases_of_the_release_before_go_on(start: "Start") -> None:
    """A cancellation that was accepted, and a refund that was approved, by a release without these columns."""
    running = await start()
    cancelled, paying = await running.delivered("e-sim-onl"), await running.delivered("e-sim-onl")
    answer = await running.post(f"/orders/{cancelled.order_id}/cancellation", {"email": "a@example.org"}, "onl-key")
    case_id = answer.json()["case_id"]
    await running.stage.publish(cancelled.observed(running.service.clock.now(), case_id))
    await running.stage.events(CancellationAccepted)
    other = await asked(running, paying)
    await running.stage.publish(paying.observed(running.service.clock.now(), other["case_id"]))
    await running.stage.events(RevocationRequested)
    await running.stage.publish(paying.revoked(other["case_id"]))
    await running.stage.events(RefundApproved)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE cases SET approval = NULL, revocation_asked_at = NULL, observing_since = NULL")
        await tx.execute("DELETE FROM revocations")
    await running.case_in(cancelled, "revoking")
    await running.case_in(paying, "paying")
    # A sign of use that came meanwhile does not take back what was approved and revoked.
    now = running.service.clock.now()
    await running.stage.publish(cancelled.observed(now, None, state="enabled", used_bytes=5))
    await running.stage.publish(cancelled.revoked(case_id))
    approved = await running.stage.events(RefundApproved, count=2)
    assert {one.event.order_id for one in approved} == {cancelled.order_id, paying.order_id}
