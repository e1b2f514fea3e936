"""Ends of a profile: revoked for a cancellation or a refund, expired; and erasure of devices (PP 6.2)."""

import importlib
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import httpx
import pytest

from shared.contracts import (
    BuyerErasureRequested,
    Money,
    OrderPaid,
    Plan,
    ProfileExpired,
    ProfileRevoked,
    ProvisioningBuyerErased,
    RevocationRefused,
)
from shared.ids import uuid7

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import StartLifecycle


PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
EID, OTHER_EID = "89049032123451234512345678901235", "89049032000001000000000012345652"


async def test_a_cancellation_takes_the_code_out_of_use(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made, kept = await running.sold(), await running.sold()
    await running.sandbox.faults({"target": "operator.cancel_order", "effect": "lose_reply", "times": 1})
    request = running.cancelled(made)
    await running.stage.publish(request, request, running.approved(kept, revoke_profile=False))
    [revoked] = await running.stage.events(ProfileRevoked)
    assert (revoked.event.iccid, revoked.event.reason) == (made.iccid, "cancellation")
    assert revoked.event.case_id == request.case_id
    assert await running.at_the_operator(made.iccid) == "cancelled"
    assert await running.at_the_operator(kept.iccid) == "released"
    assert (await running.sandbox.scan(running.code(made), EID))["ok"] is False
    later = running.approved(made)
    await running.stage.publish(later)
    await running.stage.events(ProfileRevoked, where=lambda event: event.case_id == later.case_id)
    assert len(await running.stage.all_events(ProfileRevoked)) == 2
    assert await running.stage.all_events(RevocationRefused) == []
    seen = await running.life(made.order_id)
    assert (seen["revoked_for"], seen["polling"]["next_look_at"], seen["polling"]["every_seconds"]) == (
        "cancellation",
        None,
        None,
    )


async def test_what_is_on_a_device_is_not_taken_back(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.scan(running.code(made), EID)
    request = running.cancelled(made)
    await running.stage.publish(request)
    [refused] = await running.stage.events(RevocationRefused)
    assert (refused.event.case_id, refused.event.in_use) == (request.case_id, True)
    assert [(one.subject_code, one.reason_code) for one in refused.event.statuses] == [("8.2.1", "3.3")]
    assert await running.stage.all_events(ProfileRevoked) == []
    assert (await running.life(made.order_id))["revocations"][0]["outcome"] == "refused"


@pytest.mark.parametrize("event", ["revocation_requested", "approved"])
async def test_a_refund_revokes_the_profile_and_publishes_it_once(
    start_lifecycle: "StartLifecycle", event: str
) -> None:
    """Before the money goes (`revocation-requested`), and after it, as earlier releases requested it."""
    running = await start_lifecycle()
    made = await running.sold()
    request = getattr(running, event)(made)
    await running.stage.publish(request, request)
    [revoked] = await running.stage.events(ProfileRevoked)
    assert (revoked.event.case_id, revoked.event.reason) == (request.case_id, "refund")
    assert await running.at_the_operator(made.iccid) == "cancelled"
    again = getattr(running, event)(made)
    await running.stage.publish(again)
    await running.stage.events(ProfileRevoked, where=lambda event: event.case_id == again.case_id)
    assert len(await running.stage.all_events(ProfileRevoked)) == 2


@pytest.mark.parametrize("event", ["revocation_requested", "approved"])
@pytest.mark.parametrize("before", ["the order", "the profile"])
async def test_a_revocation_that_comes_first_holds_when_the_profile_is_made(
    start_lifecycle: "StartLifecycle", before: str, event: str
) -> None:
    running = await start_lifecycle()
    order = OrderPaid(
        order_id=uuid7(),
        order_number="10000001",
        storefront="esimka",
        buyer_id=uuid7(),
        kind="esim",
        plan=PLAN,
        paid=Money(amount=1500, currency="USD"),
        invoice_id="1000001",
        paid_at=datetime.now(UTC),
    )
    await running.sandbox.faults({"target": "operator.confirm_order", "effect": "http_error", "status": 503})
    if before == "the profile":
        await running.stage.publish(order)
    await running.stage.publish(getattr(running, event)(order))

    async def noted() -> bool:
        return bool(await running.rows("SELECT 1 FROM revocations"))

    await running.stage.eventually(noted)
    if before == "the order":
        await running.stage.publish(order)
    await running.sandbox.clear_faults()
    [revoked] = await running.stage.events(ProfileRevoked)
    assert (revoked.event.order_id, revoked.event.reason) == (order.order_id, "refund")
    assert await running.at_the_operator(revoked.event.iccid) == "cancelled"


async def test_an_unused_profile_expires_and_a_used_one_does_not(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    unused, used = await running.sold(), await running.sold()
    await running.sandbox.operator_catalogue(push_url="", progress_url="")
    await running.sandbox.use_data(used.iccid, 1, validUntil="2099-01-01T00:00:00+00:00")
    await running.sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503, "times": 2})
    await running.move(unused.valid_until - running.clock.now() + timedelta(seconds=1))
    [expired] = await running.stage.events(ProfileExpired)
    assert (expired.event.order_id, expired.event.reason) == (unused.order_id, "never_activated")
    assert await running.at_the_operator(unused.iccid) == "cancelled"
    assert (await running.observed(used, used=1)).plan_ends_at == datetime(2099, 1, 1, tzinfo=UTC)
    assert await running.at_the_operator(used.iccid) == "released"
    seen = await running.life(unused.order_id)
    assert (seen["expired_for"], seen["polling"]["next_look_at"]) == ("never_activated", None)
    assert len(await running.stage.all_events(ProfileExpired)) == 1


async def test_a_storefront_may_give_more_time_than_others(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle(storefront_unused_validity_days={"esimka": 365})
    made = await running.sold()
    tbilisi = ZoneInfo("Asia/Tbilisi")
    last = made.valid_until.astimezone(tbilisi)
    assert last.date() - made.paid_at.astimezone(tbilisi).date() == timedelta(days=365)
    assert (last + timedelta(microseconds=1)).time() == time.min


async def test_what_was_sold_before_is_valid_until_the_end_of_its_last_day_too(
    start_lifecycle: "StartLifecycle",
) -> None:
    """Release 1.0.1 stored the hour of the purchase; the mail named the day."""
    running = await start_lifecycle()
    made = await running.sold()
    carried_over = importlib.import_module("provisioning.migrations.versions.0007_end_of_day")._ROUND_UP
    await running.write("UPDATE lives SET valid_until = :old", old=made.paid_at + timedelta(days=180))
    await running.write(carried_over)
    assert datetime.fromisoformat((await running.life(made.order_id))["valid_until"]) == made.valid_until
    await running.write("UPDATE lives SET expired_at = :old, valid_until = :old", old=made.paid_at)
    await running.write(carried_over)
    assert datetime.fromisoformat((await running.life(made.order_id))["valid_until"]) == made.paid_at


async def test_an_operator_that_ends_profiles_early_shortens_the_promise_or_raises_an_alarm(
    start_lifecycle: "StartLifecycle",
) -> None:
    """RC 7: the mail must not name a day on which the operator has ended the profile already."""
    running = await start_lifecycle()
    made = await running.sold()
    early = (made.valid_until - timedelta(days=9)).isoformat()
    await running.sandbox.use_data(made.iccid, 0, validUntil=early)
    request = running.requested(made)
    await running.stage.publish(request)
    await running.observed(made, case_id=request.case_id)
    metrics = (await running.get("/metrics")).text
    assert 'operator_expires_early_total{operator="primary"} 1.0' in metrics


async def test_a_profile_on_a_phone_without_reports_is_not_published_as_unused(
    start_lifecycle: "StartLifecycle",
) -> None:
    """I15: it may have been activated. By when its plan must be over, it is over."""
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_catalogue(push_url="", progress_url="")
    await running.sandbox.operator_behaviour(feed="silent")
    await running.sandbox.scan(running.code(made), EID)
    await running.move(made.valid_until - running.clock.now() + timedelta(seconds=1))

    async def refused() -> bool:
        return bool(await running.sandbox.requests("cancelOrder"))

    await running.stage.eventually(refused)

    async def put_off() -> bool:
        due = (await running.life(made.order_id))["polling"]["next_look_at"]
        return due is not None and datetime.fromisoformat(due) > running.clock.now() + timedelta(days=6)

    await running.stage.eventually(put_off)
    assert await running.stage.all_events(ProfileExpired) == []
    await running.move(timedelta(days=31))
    [expired] = await running.stage.events(ProfileExpired)
    assert (expired.event.order_id, expired.event.reason) == (made.order_id, "plan_ended")


async def test_a_plan_ends_after_its_validity(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.scan(running.code(made), EID)
    await running.sandbox.use_data(made.iccid, 100)
    event = await running.observed(made, used=100)
    assert event.plan_ends_at is not None
    await running.move(timedelta(days=30, minutes=1))
    [expired] = await running.stage.events(ProfileExpired)
    assert (expired.event.reason, expired.event.order_id) == ("plan_ended", made.order_id)
    assert expired.event.expired_at >= event.plan_ends_at
    assert await running.at_the_operator(made.iccid) == "released"


async def test_a_buyer_is_forgotten_and_stays_forgotten(start_lifecycle: "StartLifecycle") -> None:
    """PP 6.2: the EID names a person's device. What is known of the profile stays."""
    running = await start_lifecycle(privacy_key="export-key")
    made = await running.sold()
    await running.sandbox.scan(running.code(made), EID)
    before = await running.observed(made, state="enabled")
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        path, key = f"/privacy/buyers/{made.buyer_id}", {"authorization": "Bearer export-key"}
        held = (await client.get(path, headers=key)).json()
        assert (await client.get(path)).status_code == 401
    assert held["profiles"][0]["iccid"] == made.iccid
    assert EID in str(held["observations"])
    request = BuyerErasureRequested(
        buyer_id=made.buyer_id, storefront="esimka", request_id=uuid7(), requested_at=datetime.now(UTC)
    )
    await running.stage.publish(request)
    [erased] = await running.stage.events(ProvisioningBuyerErased)
    assert (erased.event.buyer_id, erased.event.request_id) == (made.buyer_id, request.request_id)
    # Notifications carry whole seconds: this one has a later time than the one before.
    later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
    await running.sandbox.phone(made.iccid, 7, eid=EID, fields={"timestamp": later})
    after = await running.observed(made, state="disabled")
    assert (after.installed_at, after.activated_at) == (before.installed_at, before.activated_at)
    everything = [str(await running.rows(f"SELECT * FROM {table}")) for table in ("lives", "observations", "profiles")]
    assert EID not in "".join(everything)
    assert (await running.life(made.order_id))["eid"] is None
