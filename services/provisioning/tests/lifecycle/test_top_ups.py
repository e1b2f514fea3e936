"""Top-ups extend an eSIM once, or fail with a reason."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provisioning.app import build
from shared.contracts import (
    Plan,
    ProfileExpired,
    ProfileFailed,
    ProfileRevoked,
    TopUpApplied,
)
from shared.database import Database
from shared.testing.recovery import put_back, recover_again
from shared.testing.shops import copied, with_deadline

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import StartLifecycle


PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
MORE = PLAN.model_copy(update={"id": "tr-1gb", "data_mb": 1024, "validity_days": 7})


@pytest.mark.parametrize("effect", [None, "lose_reply", "http_error"])
async def test_a_top_up_extends_once(start_lifecycle: "StartLifecycle", effect: str | None) -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.use_data(made.iccid, 100)
    before = await running.observed(made, used=100)
    if effect:
        await running.sandbox.faults({"target": "operator.top_up", "effect": effect, "times": 2})
    order = await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    await running.stage.publish(order)
    [applied] = await running.stage.events(TopUpApplied)
    assert (applied.event.order_id, applied.event.esim_order_id) == (order.order_id, made.order_id)
    assert applied.event.total_bytes == 6 * 2**30
    assert before.plan_ends_at is not None
    assert applied.event.plan_ends_at == before.plan_ends_at + timedelta(days=7)
    [profile] = await running.sandbox.ledger_operator()
    assert [(one["key"], one["dataBytes"]) for one in profile["topUps"]] == [(order.order_number, 2**30)]
    assert await running.stage.all_events(ProfileFailed) == []
    assert (await running.observed(made, plan_ends_at=applied.event.plan_ends_at)).usage.total_bytes == 6 * 2**30
    view = (await running.get(f"/top-ups/{order.order_id}")).json()
    assert (view["state"], view["total_bytes"], view["iccid"]) == ("applied", 6 * 2**30, made.iccid)
    assert (await running.life(made.order_id))["top_ups"][0]["order_number"] == order.order_number
    # A day that the first plan would not have seen.
    await running.move(timedelta(days=32))
    later = running.requested(made)
    await running.stage.publish(later)
    await running.observed(made, case_id=later.case_id)
    assert await running.stage.all_events(ProfileExpired) == []


async def test_a_top_up_that_cannot_be_applied_fails_with_a_reason(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made, revoked = await running.sold(), await running.sold()
    await running.stage.publish(running.cancelled(revoked))
    await running.stage.events(ProfileRevoked)
    other = MORE.model_copy(update={"coverage": ("KZ",)})
    orders = {
        "no eSIM with this ICCID": await running.paid(kind="top_up", iccid="8999702000000000018", plan=MORE),
        "sold by another shop": await running.paid(kind="top_up", iccid=made.iccid, plan=MORE, storefront="qazaq-esim"),
        "it was revoked": await running.paid(kind="top_up", iccid=revoked.iccid, plan=MORE),
        "the coverage of the eSIM's own plan": await running.paid(kind="top_up", iccid=made.iccid, plan=other),
    }
    failed = await running.stage.events(ProfileFailed, count=4)
    reasons = {one.event.order_id: one.event for one in failed}
    for words, order in orders.items():
        event = reasons[order.order_id]
        assert words in event.reason
        assert (event.kind, event.iccid, event.plan) == ("top_up", order.iccid, order.plan)
    await running.sandbox.faults({"target": "operator.top_up", "effect": "refuse", "status": 409})
    refused = await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    [late] = await running.stage.events(ProfileFailed, where=lambda event: event.order_id == refused.order_id)
    assert "the profile has ended" in late.event.reason
    assert await running.stage.all_events(TopUpApplied) == []
    [profile] = [one for one in await running.sandbox.ledger_operator() if one["iccid"] == made.iccid]
    assert profile["topUps"] == []


async def test_a_top_up_whose_outcome_stays_unknown_waits_for_a_person(
    start_lifecycle: "StartLifecycle", tmp_path: Path
) -> None:
    running = await start_lifecycle(
        shops_dir=with_deadline(copied(tmp_path / "shops"), "esimka", "delivery_seconds", 3)
    )
    made = await running.sold()
    await running.sandbox.faults({"target": "operator.top_up", "effect": "drop"})
    order = await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)

    async def parked() -> bool:
        answer = await running.get(f"/top-ups/{order.order_id}")
        return bool(answer.is_success and answer.json()["work_state"] == "parked")

    await running.stage.eventually(parked)
    assert "unknown" in (await running.get(f"/top-ups/{order.order_id}")).json()["last_error"]
    assert await running.stage.all_events(ProfileFailed) == []


async def test_after_a_recovery_an_applied_top_up_counts_once_and_is_not_due(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    applied = await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    await running.stage.events(TopUpApplied)
    other = MORE.model_copy(update={"coverage": ("KZ",)})
    failed = await running.paid(kind="top_up", iccid=made.iccid, plan=other)
    await running.stage.events(ProfileFailed)

    url, _ = await put_back(running.stage, running.service, build)
    await recover_again(running.service, build, url)

    database = Database(url)
    async with database.reading() as tx:
        states = (await tx.execute("SELECT order_id, state FROM top_ups ORDER BY paid_at")).all()
        [life] = (await tx.execute("SELECT extra_bytes, extra_days FROM lives")).all()
        tasks = (await tx.execute("SELECT key FROM work WHERE key LIKE 'top_up:%'")).all()
    await database.close()
    assert states == [(applied.order_id, "applied"), (failed.order_id, "failed")]
    assert life == (2**30, 7)
    assert tasks == []
