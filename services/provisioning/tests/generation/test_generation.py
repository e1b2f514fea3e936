"""Provisioning between a real Kafka, a real Postgres and the sandbox's operator."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from shared.contracts import OrderPaid, ProfileFailed, ProfileGenerated
from shared.days import end_of, local_day
from shared.ids import uuid7
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import Json
from shared.testing.shops import copied, with_deadline

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Provisioning, Start


REFUSE_ALL = {"target": "operator.download_order", "effect": "refuse", "subjectCode": "8.2.1", "reasonCode": "4.2"}


async def test_a_paid_order_becomes_a_profile(start: "Start") -> None:
    # when: an order is paid
    running = await start(profile_type_apn={"TR-STD": "fast.t-m"})
    order: OrderPaid = await running.paid()

    # then: its profile is published, valid to the end of the 180th day of the shop (RC 7)
    [made] = await running.stage.events(ProfileGenerated)
    event = made.event
    assert (event.order_id, event.buyer_id, event.plan, event.paid_at) == (
        order.order_id,
        order.buyer_id,
        order.plan,
        order.paid_at,
    )
    assert event.apn == "fast.t-m"
    last_day = local_day(order.paid_at, ZoneInfo("Asia/Tbilisi")) + timedelta(days=180)
    assert event.valid_until == end_of(last_day, ZoneInfo("Asia/Tbilisi")) - timedelta(microseconds=1)
    assert event.confirmation_code is None

    # then: the operator has that one profile, and the sealed code opens it
    [profile] = await running.sandbox.ledger_operator()
    assert profile["iccid"] == event.iccid
    assert profile["state"] == "released"
    code = running.opener.open(event.activation_code).decode()
    assert code == f"LPA:1$smdp.sandbox.example${profile['matchingId']}"
    assert event.iccid.startswith("8999702")


async def test_a_lost_reply_to_download_order_makes_no_second_profile(start: "Start") -> None:
    # given: an operator whose replies get lost
    running = await start()
    await running.sandbox.faults({"target": "operator.download_order", "effect": "lose_reply", "times": 2})

    # when: an order is paid
    await running.paid()

    # then: it has one profile
    [made] = await running.stage.events(ProfileGenerated)
    [profile] = await running.sandbox.ledger_operator()
    assert (profile["iccid"], profile["state"]) == (made.event.iccid, "released")
    assert await running.stage.all_events(ProfileFailed) == []


@pytest.mark.parametrize("address", ["smdp.sandbox.example", None])
@pytest.mark.parametrize("effect", ["lose_reply", "partial_body"])
async def test_a_lost_reply_to_confirm_order_is_settled_as_ours(
    start: "Start", effect: str, address: str | None
) -> None:
    """With SMDP_ADDRESS the code is known at once; without it a second one is made, and the first is withdrawn."""
    # given: an operator whose reply to the confirmation gets lost
    running = await start(smdp_address=address)
    await running.sandbox.faults({"target": "operator.confirm_order", "effect": effect, "times": 1})

    # when: an order is paid
    await running.paid()

    # then: one profile is released with its code, and any other is withdrawn
    [made] = await running.stage.events(ProfileGenerated)

    async def settled() -> bool:
        return not await running.rows("SELECT 1 FROM work")

    await running.stage.eventually(settled)
    *withdrawn, profile = await running.sandbox.ledger_operator()
    assert (profile["iccid"], profile["state"]) == (made.event.iccid, "released")
    assert [one["state"] for one in withdrawn] == ([] if address else ["cancelled"])
    code = running.opener.open(made.event.activation_code).decode()
    assert code == f"LPA:1$smdp.sandbox.example${profile['matchingId']}"
    left = await running.rows("SELECT iccid, state, withdrawn_at IS NOT NULL AS gone FROM profile_orders")
    assert [(one["iccid"], one["state"], one["gone"]) for one in left] == [
        (one["iccid"], "abandoned", True) for one in withdrawn
    ]


async def test_an_operator_that_stays_unavailable_fails_the_order_at_its_deadline(
    start: "Start", tmp_path: Path
) -> None:
    # given: an operator that refuses everything
    running = await start(shops_dir=with_deadline(copied(tmp_path / "shops"), "esimka", "delivery_seconds", 4))
    await running.sandbox.faults(REFUSE_ALL)

    # when: an order is paid
    order = await running.paid()

    # then: it fails with the operator's codes, at its deadline and after more than one attempt
    [failed] = await running.stage.events(ProfileFailed)
    event = failed.event
    assert [(s.subject_code, s.reason_code) for s in event.statuses] == [("8.2.1", "4.2")]
    assert "8.2.1/4.2" in event.reason
    assert event.order_id == order.order_id
    late = (event.failed_at - order.paid_at).total_seconds()
    assert 4 <= late < 6
    row = await running.profile(order.order_id)
    assert row["state"] == "failed"
    assert row["attempts"] > 1


async def test_what_may_have_been_made_is_withdrawn_after_giving_up(start: "Start") -> None:
    # given: an operator that may have made the profile, and does not answer
    running = await start(provisioning_deadline_seconds=4.0)
    await running.sandbox.faults(
        {"target": "operator.confirm_order", "effect": "drop"},
        {"target": "operator.cancel_order", "effect": "http_error", "status": 503, "times": 1},
    )

    # when: the order is given up
    order = await running.paid()
    [failed] = await running.stage.events(ProfileFailed)
    assert failed.event.statuses[0].reason_code == "3.3"  # downloadOrder, repeated: the ICCID is taken (by us)

    # when: the operator answers again
    await running.sandbox.clear_faults()

    # then: the profile is withdrawn, and was never published
    async def withdrawn() -> bool:
        [profile] = await running.sandbox.ledger_operator()
        return profile["state"] == "cancelled" and (await running.profile(order.order_id))["withdrawn_at"] is not None

    await running.stage.eventually(withdrawn)
    assert await running.stage.all_events(ProfileGenerated) == []


async def test_a_lost_reply_to_the_withdrawal_is_settled(start: "Start") -> None:
    # given: an operator whose reply to the cancellation gets lost too
    running = await start(provisioning_deadline_seconds=0.8, smdp_address="smdp.sandbox.example")
    await running.sandbox.faults(
        {"target": "operator.confirm_order", "effect": "partial_body", "times": 1},
        {"target": "operator.download_order", "effect": "http_error", "status": 500, "after": 1},
        {"target": "operator.cancel_order", "effect": "lose_reply", "times": 1},
    )

    # when: the order is given up
    order = await running.paid()
    await running.stage.events(ProfileFailed)

    # then: the withdrawal is settled, and the profile cancelled
    async def withdrawn() -> bool:
        return (await running.profile(order.order_id))["withdrawn_at"] is not None

    await running.stage.eventually(withdrawn)
    [profile] = await running.sandbox.ledger_operator()
    assert profile["state"] == "cancelled"


async def test_an_operator_that_was_never_reached_leaves_nothing_to_withdraw(start: "Start") -> None:
    # given: an operator that cannot be reached
    running = await start(provisioning_deadline_seconds=0.7, operator_url="http://127.0.0.1:1")

    # when: an order is paid
    order = await running.paid()

    # then: it fails, and nothing is left to do
    [failed] = await running.stage.events(ProfileFailed)
    assert failed.event.statuses == ()
    assert "ConnectError" in failed.event.reason
    assert await running.rows("SELECT * FROM work") == []
    assert (await running.profile(order.order_id))["state"] == "failed"


@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ({"effect": "out_of_stock"}, ("8.2.5", "3.7")),
        ({"effect": "refuse", "subjectCode": "8.2.5", "reasonCode": "3.9"}, ("8.2.5", "3.9")),
    ],
)
async def test_a_definite_refusal_fails_at_once(start: "Start", rule: dict[str, str], codes: tuple[str, str]) -> None:
    # given: an operator that refuses for good
    running = await start()
    await running.sandbox.faults({"target": "operator.download_order", **rule})

    # when: an order is paid
    order = await running.paid()

    # then: it fails at the first attempt, and nothing was made
    [failed] = await running.stage.events(ProfileFailed)
    [status] = failed.event.statuses
    assert (status.subject_code, status.reason_code) == codes
    assert (await running.profile(order.order_id))["attempts"] == 1
    assert await running.sandbox.ledger_operator() == []
    assert await running.rows("SELECT * FROM work") == []


async def test_a_refusal_to_release_withdraws_the_reservation(start: "Start") -> None:
    # given: an operator that reserves and does not release
    running = await start()
    refuse = {"effect": "refuse", "subjectCode": "8.2.6", "reasonCode": "2.1", "times": 1}
    await running.sandbox.faults({"target": "operator.confirm_order", **refuse})

    # when: an order is paid
    await running.paid()

    # then: it fails, and the reservation is cancelled
    await running.stage.events(ProfileFailed)

    async def cancelled() -> bool:
        [profile] = await running.sandbox.ledger_operator()
        return bool(profile["state"] == "cancelled")

    await running.stage.eventually(cancelled)


async def test_duplicates_make_one_profile(start: "Start") -> None:
    # when: a paid order comes six times, each time as another event
    running = await start()
    order = await running.paid()
    await running.stage.publish(*[order] * 5)  # five more events of the same fact, each with its own id

    # then: it has one profile, and so has the next order
    other = await running.paid()
    await running.stage.events(ProfileGenerated, count=2)
    await running.stage.eventually(lambda: _idle(running))
    made = await running.stage.all_events(ProfileGenerated)
    assert sorted(one.event.order_id for one in made) == sorted([order.order_id, other.order_id])
    assert len(await running.sandbox.ledger_operator()) == 2


async def _idle(running: "Provisioning") -> bool:
    return len(await running.rows("SELECT 1 FROM work")) == 0


async def test_a_batch_of_orders_gets_an_iccid_each(start: "Start") -> None:
    # when: many orders are paid at once
    running = await start()
    orders = await asyncio.gather(*(running.paid() for _ in range(30)))

    # then: each has a profile with an ICCID of its own
    made = await running.stage.events(ProfileGenerated, count=30)
    assert {one.event.order_id for one in made} == {order.order_id for order in orders}
    assert len({one.event.iccid for one in made}) == 30
    assert len(await running.sandbox.ledger_operator()) == 30


async def test_a_top_up_never_becomes_an_esim(start: "Start") -> None:
    # when: a top-up of an unknown eSIM is paid
    running = await start()
    order = await running.paid(kind="top_up", iccid="8999702000000000018")

    # then: it fails, and no operator was asked
    [failed] = await running.stage.events(ProfileFailed)
    assert failed.event.order_id == order.order_id
    assert await running.sandbox.requests() == []


async def test_an_order_read_after_its_deadline_is_still_tried_once(start: "Start") -> None:
    running = await start()
    await running.paid(paid_at=datetime.now(UTC) - timedelta(days=2))
    assert len(await running.stage.events(ProfileGenerated)) == 1


async def test_agents_see_a_profile_without_its_code(start: "Start") -> None:
    # given: an operator that refuses
    running = await start()
    await running.sandbox.faults(REFUSE_ALL)

    # when: an order is paid
    order = await running.paid()

    # then: agents see that it was tried, and what the operator answered
    path = f"/profiles/{order.order_id}"

    async def tried_again() -> Json:
        answer = await running.get(path)
        return answer.json() if answer.is_success and answer.json()["attempts"] >= 1 else None

    seen = await running.stage.eventually(tried_again)
    assert seen["state"] == "ordered"
    assert seen["statuses"] == [{"subject_code": "8.2.1", "reason_code": "4.2", "message": "the operator refuses"}]

    # when: the profile is made
    await running.sandbox.clear_faults()
    await running.stage.events(ProfileGenerated)

    # then: they see it without its code
    answer = await running.get(path)
    assert answer.json()["state"] == "generated"
    assert (await running.profile(order.order_id))["matching_id"] not in answer.text

    # then: nobody else sees it
    assert (await running.get(path, key=None)).status_code == 401
    assert (await running.get(path, key="storefront-key")).json()["type"] == "urn:problem:unknown-agent-key"
    assert (await running.get(f"/profiles/{uuid7()}")).status_code == 404
    assert (await running.get("/profiles/1")).status_code == 422


async def test_the_code_is_in_no_log_trace_or_event_and_the_trace_goes_on(
    start: "Start", capfd: pytest.CaptureFixture[str]
) -> None:
    # given: an operator whose replies get lost
    running = await start()
    await running.sandbox.faults(
        {"target": "operator.download_order", "effect": "lose_reply", "times": 1},
        {"target": "operator.confirm_order", "effect": "lose_reply", "times": 1},
    )

    # when: an order with a trace is paid
    trace = new_traceparent(sampled=True)
    order = await running.paid(trace=trace)

    # then: the event continues the trace, and has no code
    [made] = await running.stage.events(ProfileGenerated)
    assert trace_id(made.trace) == trace_id(trace)
    secret = (await running.profile(order.order_id))["matching_id"]
    assert len(secret) >= 26
    assert secret not in made.event.model_dump_json()
    metrics = (await running.get("/metrics")).text
    assert 'operator_calls_total{function="confirmOrder",operator="primary",outcome="no_answer"} 1.0' in metrics

    # then: each call to the operator is a span of that trace, with its status
    running.service.tracing.close()
    spans = [json.loads(line) for line in running.trace_file.read_text().splitlines()]
    calls = [span for span in spans if span["kind"] == "CLIENT" and span["name"].startswith("ES2+")]
    assert len(calls) >= 4
    assert {span["trace"] for span in calls} == {trace_id(trace)}
    assert {"8.2.1/3.3", "8.2.6/3.3", "executed"} <= {span["attributes"]["operator.status"] for span in calls}
    headers = [request["headers"] for request in await running.sandbox.requests("es2plus")]
    assert all(trace_id(header["traceparent"]) == trace_id(trace) for header in headers)

    # then: no span, log line or metric has the code
    everything = running.trace_file.read_text() + "".join(capfd.readouterr()) + metrics
    assert secret not in everything
