"""DataLow and ProfileExpiring: published once, by whatever way the report comes, and never about what has ended."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from shared.contracts import (
    DataLow,
    Money,
    Plan,
    ProfileExpired,
    ProfileExpiring,
    ProfileObserved,
    ProfileRevoked,
    TopUpApplied,
)
from shared.testing.shops import copied, with_deadline

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import LifecycleProvisioning, StartLifecycle

    from shared.contracts import ProfileGenerated

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
MORE = PLAN.model_copy(update={"id": "tr-1gb", "data_mb": 1024, "validity_days": 7})
TOTAL = 5 * 2**30
TBILISI = ZoneInfo("Asia/Tbilisi")


async def low(running: "LifecycleProvisioning", made: "ProfileGenerated") -> list[tuple[int, int]]:
    """What was published about this eSIM so far."""
    events = await running.stage.all_events(DataLow)
    return [
        (one.event.threshold_percent, one.event.total_bytes) for one in events if one.event.order_id == made.order_id
    ]


async def case(running: "LifecycleProvisioning", made: "ProfileGenerated") -> ProfileObserved:
    """Request the state and wait for the answer: by then everything about earlier reports is published."""
    request = running.requested(made)
    await running.stage.publish(request)
    return await running.observed(made, case_id=request.case_id)


async def test_a_threshold_is_published_once_by_push_query_and_repetition(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made, other = await running.sold(), await running.sold()
    await running.sandbox.use_data(other.iccid, TOTAL * 79 // 100)
    await running.sandbox.use_data(made.iccid, TOTAL * 80 // 100 + 1)
    [event] = [one.event for one in await running.stage.events(DataLow)]
    assert (event.order_id, event.iccid, event.threshold_percent) == (made.order_id, made.iccid, 80)
    assert (event.used_bytes, event.total_bytes, event.plan) == (TOTAL * 80 // 100 + 1, TOTAL, PLAN)
    push = partial(running.sandbox.push_usage, made.iccid)
    old = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    await asyncio.gather(push(times=3), push(fields={"usedBytes": 5, "usedBytesAt": old}), case(running, made))
    assert await low(running, made) == [(80, TOTAL)]
    await running.sandbox.use_data(made.iccid, TOTAL)
    await running.stage.events(DataLow, where=lambda one: one.threshold_percent == 100)
    await asyncio.gather(*(case(running, made) for _ in range(3)), push(times=3))
    assert await low(running, made) == [(80, TOTAL), (100, TOTAL)]
    assert await low(running, other) == []
    observed = await case(running, made)
    assert observed.first_used_at is not None
    assert observed.activated_at is not None
    assert observed.activated_at <= observed.first_used_at


async def test_a_report_that_passes_both_thresholds_publishes_both(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_catalogue(push_url="", progress_url="")
    await running.sandbox.use_data(made.iccid, TOTAL + 1)
    await case(running, made)
    assert sorted(await low(running, made)) == [(80, TOTAL), (100, TOTAL)]


async def test_usage_without_a_total_publishes_nothing(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_behaviour(feed="silent")
    push = partial(running.sandbox.push_usage, made.iccid)
    assert await push(fields={"usedBytes": TOTAL, "totalBytes": None}) == [204]
    await running.observed(made, used=TOTAL)
    assert await push(fields={"usedBytes": None, "totalBytes": TOTAL}) == [204]
    await running.stage.events(DataLow, count=2)
    assert sorted(await low(running, made)) == [(80, TOTAL), (100, TOTAL)]


@pytest.mark.parametrize("confirms", [True, False])
async def test_a_top_up_arms_the_thresholds_again(start_lifecycle: "StartLifecycle", confirms: bool) -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.use_data(made.iccid, TOTAL)
    await running.stage.events(DataLow, count=2)
    if not confirms:
        await running.sandbox.faults({"target": "operator.top_up", "effect": "lose_reply", "times": 1})
    await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    [applied] = await running.stage.events(TopUpApplied)
    assert applied.event.total_bytes == TOTAL + 2**30
    await case(running, made)
    # 5 of 6 GB: 83 %.
    assert sorted(await low(running, made)) == [(80, TOTAL), (80, TOTAL + 2**30), (100, TOTAL)]
    await running.sandbox.use_data(made.iccid, TOTAL + 2**30)
    await running.stage.events(DataLow, count=4)
    await case(running, made)
    assert sorted(await low(running, made))[3:] == [(100, TOTAL + 2**30)]


async def test_after_a_refund_or_a_revocation_nothing_is_published(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    refunded, revoked, surplus, part = [await running.sold() for _ in range(4)]
    charge = surplus.order_id
    rest = Money(amount=500, currency="USD")
    await running.stage.publish(
        running.approved(refunded, revoke_profile=False),
        running.cancelled(revoked),
        running.approved(surplus, revoke_profile=False, charge_id=charge),
        running.approved(part, revoke_profile=False, remaining_payment=rest),
    )
    await running.stage.events(ProfileRevoked)

    async def stored() -> bool:
        return bool(await running.rows("SELECT 1 FROM lives WHERE refunded_at IS NOT NULL"))

    await running.stage.eventually(stored)
    for made in (refunded, revoked, surplus, part):
        await running.sandbox.push_usage(made.iccid, fields={"usedBytes": TOTAL, "totalBytes": TOTAL})
    # The surplus capture of an order (RF 2.4), and the refund of a part, leave the eSIM in use.
    await running.stage.events(DataLow, count=4)
    await running.move(timedelta(days=29))
    await running.stage.events(ProfileExpiring, count=2)
    in_use = {surplus.order_id, part.order_id}
    for announced in (ProfileExpiring, DataLow):
        assert {each.event.order_id for each in await running.stage.all_events(announced)} == in_use


async def test_an_unused_esim_is_announced_once_before_it_expires(
    start_lifecycle: "StartLifecycle", tmp_path: Path
) -> None:
    running = await start_lifecycle(
        shops_dir=with_deadline(copied(tmp_path / "shops"), "esimka", "unused_notice_days", 10)
    )
    made = await running.sold()
    await running.move(made.valid_until - running.clock.now() - timedelta(days=10, minutes=1))
    await case(running, made)
    assert await running.stage.all_events(ProfileExpiring) == []
    await running.move(timedelta(minutes=2))
    [expiring] = [one.event for one in await running.stage.events(ProfileExpiring)]
    assert (expiring.order_id, expiring.reason, expiring.ends_at) == (
        made.order_id,
        "never_activated",
        made.valid_until,
    )
    assert expiring.ends_on == made.valid_until.astimezone(TBILISI).date()
    await running.move(timedelta(days=9))
    await case(running, made)
    await running.move(timedelta(days=1))
    await running.stage.events(ProfileExpired)
    assert len(await running.stage.all_events(ProfileExpiring)) == 1


async def test_a_top_up_moves_the_end_and_its_announcement(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.use_data(made.iccid, 100)
    before = await running.observed(made, used=100)
    assert before.plan_ends_at is not None
    await running.paid(kind="top_up", iccid=made.iccid, plan=MORE)
    await running.stage.events(TopUpApplied)
    await running.move(timedelta(days=29))
    await case(running, made)
    assert await running.stage.all_events(ProfileExpiring) == []
    await running.move(timedelta(days=7))
    [expiring] = [one.event for one in await running.stage.events(ProfileExpiring)]
    assert (expiring.reason, expiring.ends_at) == ("plan_ended", before.plan_ends_at + timedelta(days=7))
    # Announced already, and then topped up once more: the new end is announced too.
    await running.paid(kind="top_up", iccid=made.iccid, plan=MORE, paid_at=running.clock.now())
    await running.stage.events(TopUpApplied, count=2)
    await running.move(timedelta(days=7))
    [_, again] = [one.event for one in await running.stage.events(ProfileExpiring, count=2)]
    assert again.ends_at == expiring.ends_at + timedelta(days=7)


async def test_an_end_is_announced_while_the_operator_is_unreachable(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.use_data(made.iccid, 100)
    await running.observed(made, used=100)
    await running.sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503})
    await running.move(timedelta(days=28, minutes=1))
    [expiring] = [one.event for one in await running.stage.events(ProfileExpiring)]
    assert (expiring.order_id, expiring.reason) == (made.order_id, "plan_ended")
