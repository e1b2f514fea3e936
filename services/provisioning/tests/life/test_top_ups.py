"""Top-ups extend an eSIM once, or fail and say why."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts import (
    Plan,
    ProfileExpired,
    ProfileFailed,
    ProfileRevoked,
    TopUpApplied,
)

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
MORE = PLAN.model_copy(update={"id": "tr-1gb", "data_mb": 1024, "validity_days": 7})


@pytest.mark.parametrize("effect", [None, "lose_reply", "http_error"])
async def test_a_top_up_extends_once(live: Any, effect: str | None) -> None:
    alive = await live()
    made = await alive.sold()
    await alive.sandbox.use_data(made.iccid, 100)
    before = await alive.observed(made, used=100)
    if effect:
        await alive.sandbox.faults({"target": "operator.top_up", "effect": effect, "times": 2})
    order = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    await alive.stage.publish(order)
    [applied] = await alive.stage.events(TopUpApplied)
    assert (applied.event.order_id, applied.event.esim_order_id) == (order.order_id, made.order_id)
    assert applied.event.total_bytes == 6 * 2**30
    assert before.plan_ends_at is not None
    assert applied.event.plan_ends_at == before.plan_ends_at + timedelta(days=7)
    [profile] = await alive.sandbox.ledger_operator()
    assert [(one["key"], one["dataBytes"]) for one in profile["topUps"]] == [(order.order_number, 2**30)]
    assert await alive.stage.all_events(ProfileFailed) == []
    assert (await alive.observed(made, plan_ends_at=applied.event.plan_ends_at)).usage.total_bytes == 6 * 2**30
    view = (await alive.get(f"/top-ups/{order.order_id}")).json()
    assert (view["state"], view["total_bytes"], view["iccid"]) == ("applied", 6 * 2**30, made.iccid)
    assert (await alive.life(made.order_id))["top_ups"][0]["order_number"] == order.order_number
    # A day that the first plan would not have seen.
    await alive.move(timedelta(days=32))
    later = alive.requested(made)
    await alive.stage.publish(later)
    await alive.observed(made, case_id=later.case_id)
    assert await alive.stage.all_events(ProfileExpired) == []


async def test_a_top_up_that_cannot_be_applied_fails_and_says_why(live: Any) -> None:
    alive = await live()
    made, revoked = await alive.sold(), await alive.sold()
    await alive.stage.publish(alive.cancelled(revoked))
    await alive.stage.events(ProfileRevoked)
    other = MORE.model_copy(update={"coverage": ("KZ",)})
    orders = {
        "no eSIM with this ICCID": await alive.paid(kind="top_up", iccid="8999702000000000018", plan=MORE),
        "sold by another shop": await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE, storefront="qazaq-esim"),
        "it was revoked": await alive.paid(kind="top_up", iccid=revoked.iccid, plan=MORE),
        "the coverage of the eSIM's own plan": await alive.paid(kind="top_up", iccid=made.iccid, plan=other),
    }
    failed = await alive.stage.events(ProfileFailed, count=4)
    reasons = {one.event.order_id: one.event for one in failed}
    for words, order in orders.items():
        event = reasons[order.order_id]
        assert words in event.reason
        assert (event.kind, event.iccid, event.plan) == ("top_up", order.iccid, order.plan)
    await alive.sandbox.faults({"target": "operator.top_up", "effect": "refuse", "status": 409})
    refused = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    [late] = await alive.stage.events(ProfileFailed, where=lambda event: event.order_id == refused.order_id)
    assert "the profile has ended" in late.event.reason
    assert await alive.stage.all_events(TopUpApplied) == []
    [profile] = [one for one in await alive.sandbox.ledger_operator() if one["iccid"] == made.iccid]
    assert profile["topUps"] == []


async def test_a_top_up_whose_outcome_stays_unknown_waits_for_a_person(live: Any) -> None:
    alive = await live(storefront_deadline_seconds={"esimka": 3})
    made = await alive.sold()
    await alive.sandbox.faults({"target": "operator.top_up", "effect": "drop"})
    order = await alive.paid(kind="top_up", iccid=made.iccid, plan=MORE)

    async def parked() -> bool:
        answer = await alive.get(f"/top-ups/{order.order_id}")
        return bool(answer.is_success and answer.json()["work_state"] == "parked")

    await alive.stage.eventually(parked)
    assert "unknown" in (await alive.get(f"/top-ups/{order.order_id}")).json()["last_error"]
    assert await alive.stage.all_events(ProfileFailed) == []
