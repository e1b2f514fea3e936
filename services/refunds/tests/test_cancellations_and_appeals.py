"""What a buyer may ask for besides a refund: a cancellation, an appeal, the answer to a claim."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    RefundApproved,
    RefundDenied,
    RevocationRequested,
)

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start


async def test_a_cancellation_revokes_first_and_pays_then(start: "Start") -> None:
    # given: a delivered order
    running = await start()
    life = await running.delivered("e-sim-onl")

    # when: its buyer cancels it
    path = f"/orders/{life.order_id}/cancellation"
    answer = await running.post(path, {"email": "ann@example.org"}, "onl-key")

    # then: the operator is asked for the state of the profile
    assert (answer.status_code, answer.json()["state"]) == (201, "observing"), answer.text
    case_id = answer.json()["case_id"]

    # when: the profile turns out to be unused
    await running.stage.publish(life.observed(running.service.clock.now(), case_id))

    # then: the cancellation is accepted, and nothing is paid yet
    await running.stage.events(CancellationAccepted)
    await running.case_in(life, "revoking")
    assert await running.stage.all_events(RefundApproved) == []

    # when: the profile is revoked
    await running.stage.publish(life.revoked(case_id))

    # then: the refund is approved by RC 1
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.grounds[0].clause, approved.event.code) == ("1", "revoked")
    assert await running.stage.all_events(RevocationRequested) == []

    # then: a shop without that clause offers no cancellation
    other = await running.delivered("esimka")
    refused = await running.post(f"/orders/{other.order_id}/cancellation", {}, "esimka-key")
    assert refused.json()["type"] == "urn:problem:no-cancellation"


async def test_a_cancellation_that_the_operator_refuses_is_denied(start: "Start") -> None:
    # given: a cancellation that was accepted
    running = await start()
    life = await running.delivered("e-sim-onl")
    answer = await running.post(f"/orders/{life.order_id}/cancellation", {"email": "a@example.org"}, "onl-key")
    case_id = answer.json()["case_id"]
    await running.stage.publish(life.observed(running.service.clock.now(), case_id))
    await running.stage.events(CancellationAccepted)

    # when: the operator refuses, because the profile is in use
    await running.stage.publish(life.revocation_refused(case_id))

    # then: it is denied, and nothing is paid
    [denied] = await running.stage.events(RefundDenied)
    assert [ground.clause for ground in denied.event.grounds] == ["5", "1"]
    assert await running.stage.all_events(RefundApproved) == []


async def test_an_appeal_is_for_another_agent(start: "Start") -> None:
    # given: a request for a failure that support does not find, denied because the profile is used
    running = await start()
    life = await running.delivered()
    body = {
        "channel": "form",
        "full_name": "Ann Kanareika",
        "email": "ann@example.org",
        "payment_date": "2026-11-20",
        "circumstances": "It shows no network",
        "reason": "technical_failure",
        "evidence": ["shot"],
    }
    case = await running.opened(life, body, "agent-key")
    path = f"/cases/{case['case_id']}"
    early = await running.post(f"{path}/appeals", {}, "esimka-key")
    assert early.json()["type"] == "urn:problem:not-now"
    await running.post(f"{path}/findings", {"finding": "no_failure"}, "agent-key")
    now = running.service.clock.now()
    await running.stage.publish(life.observed(now, case["case_id"], installed_at=now, activated_at=now, used_bytes=7))
    await running.case_in(life, "denied")

    # when: the buyer appeals
    appealed = await running.post(f"{path}/appeals", {"text": "It never worked"}, "esimka-key")

    # then: the case is open again, for another agent than the first
    assert (appealed.status_code, appealed.json()["state"], appealed.json()["due_kind"]) == (201, "appealed", "appeal")
    await running.stage.events(AppealReceived)
    same = await running.post(f"{path}/findings", {}, "agent-key")
    assert (same.status_code, same.json()["type"]) == (409, "urn:problem:not-now")

    # when: another agent names a law
    other = await running.post(f"{path}/findings", {"legal_rule": "Law on consumers, art. 5"}, "boris-key")

    # then: the refund is approved by RF 2.5, whether the profile can be revoked or not
    assert other.json()["state"] == "revoking", other.text
    await running.stage.events(RevocationRequested)
    # The law does not ask whether the profile can be taken back.
    await running.stage.publish(life.revocation_refused(case["case_id"]))
    [approved] = await running.stage.events(RefundApproved)
    assert (approved.event.grounds[0].clause, approved.event.code) == ("2.5", "kept")

    # then: every decision is in the trail, which nobody can change
    trail = [row["what"] for row in await running.rows("SELECT what FROM audit ORDER BY at, entry_id")]
    assert trail.count("decided") == 4
    with pytest.raises(Exception, match="written once"):
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE audit SET who = 'nobody'")


async def test_a_claim_has_its_own_queue_and_thirty_days(start: "Start") -> None:
    # given: a delivered order
    running = await start()
    life = await running.delivered("qazaq-esim")

    # when: a written claim about it comes, twice
    body = {"order": life.order_number, "reference": "2026/17"}
    first = await running.post("/claims", body, "qazaq-key")
    assert first.status_code == 201, first.text
    assert (await running.post("/claims", body, "qazaq-key")).status_code == 200

    # then: it is one claim, to be answered within 30 days (PO 7.3)
    [received] = await running.stage.events(ClaimReceived)
    days = received.event.answer_by - received.event.received_at
    assert timedelta(days=30) <= days <= timedelta(days=31)

    # when: a claim comes to light whose 30 days are over
    late = {**body, "reference": "old", "received_at": (life.paid_at - timedelta(days=40)).isoformat()}
    await running.post("/claims", late)

    # then: it is an alarm, and the first in the queue
    missed = "SELECT 1 FROM claims WHERE alarmed_at IS NOT NULL"
    await running.until_rows(missed)
    queue = (await running.get("/claims")).json()
    assert [claim["reference"] for claim in queue] == ["old", "2026/17"]

    # then: it is answered once
    assert (await running.post(f"/claims/{queue[0]['claim_id']}/answer")).status_code == 204
    assert (await running.post(f"/claims/{queue[0]['claim_id']}/answer")).status_code == 404
    [answered] = [one.event for one in await running.stage.events(ClaimAnswered)]
    assert (str(answered.claim_id), answered.answer_id) == (queue[0]["claim_id"], None)
