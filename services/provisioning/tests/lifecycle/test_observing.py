"""Reports about profiles: notifications, pushes, queries; and cases that request the state."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from shared.contracts import (
    ProfileObserved,
)
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import StartLifecycle


EID, OTHER_EID = "89049032123451234512345678901235", "89049032000001000000000012345652"
SECRET = "notify-secret"
UNREACHABLE = {"target": "operator.usage", "effect": "http_error", "status": 503}


async def test_a_profile_from_released_to_used(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    scanned = await running.sandbox.scan(running.code(made), EID, "download", "install", "enable")
    assert scanned["answers"] == [204, 204, 204]
    event = await running.observed(made, state="enabled")
    assert event.iccid == made.iccid
    assert event.installed_at is not None
    assert event.activated_at is not None
    assert event.installed_at <= event.activated_at
    assert event.downloaded_at is not None
    assert event.downloaded_at <= event.installed_at
    assert event.plan_ends_at == event.activated_at + timedelta(days=30)
    assert (event.install.source, event.usage.used_bytes, event.usage.observed_at) == (
        "es2plus-notification",
        None,
        None,
    )
    assert (await running.sandbox.use_data(made.iccid, 7 * 2**20))["pushed"] == 204
    used = await running.observed(made, used=7 * 2**20)
    assert (used.usage.source, used.install.state) == ("operator-push", "enabled")

    async def queried_for_the_total() -> JsonObject | None:
        seen = await running.life(made.order_id)
        return seen if seen["polling"]["next_look_at"] is not None and seen["total_bytes"] is not None else None

    seen = await running.stage.eventually(queried_for_the_total)
    assert seen["eid"] == EID
    assert seen["used_bytes"]["value"] == 7 * 2**20
    assert seen["used_bytes"]["age_seconds"] < 20
    unasked = [one for one in reversed(seen["observations"]) if one["source"] != "operator-feed"]
    assert [one["verdict"] for one in unasked] == ["applied"] * 4
    assert seen["polling"]["observable"] is True
    assert running.code(made).split("$")[2] not in str(seen)


async def test_bad_notifications_are_recorded_or_refused_and_change_nothing(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    phone = partial(running.sandbox.phone, made.iccid)
    assert (await phone("3", "install", eid=EID))["answers"] == [204, 204]
    before = await running.observed(made, state="installed")
    assert (await phone(5, eid=OTHER_EID))["answers"] == [204]
    future = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    assert (await phone(5, fields={"timestamp": future}))["answers"] == [204]
    assert (await phone(5, fields={"timestamp": "2020-01-01T00:00:00Z"}))["answers"] == [204]
    assert (await phone(6, succeeded=False))["answers"] == [204]
    assert (await phone("vendor-17"))["answers"] == [204]
    assert (await phone(5, fields={"iccid": "8999999999999999999"}))["answers"] == [204]
    assert (await phone(5, fields={"iccid": "secret"}))["answers"] == [400]
    verdicts = [row.verdict for row in await running.rows("SELECT verdict FROM observations ORDER BY received_at")]
    assert verdicts == [
        "applied",
        "applied",
        "other_device",
        "future",
        "implausible",
        "failed_step",
        "noted",
        "unknown_iccid",
    ]
    seen = await running.life(made.order_id)
    assert (seen["install"]["value"], seen["deleted_at"], seen["other_eids"]) == ("installed", None, [OTHER_EID])
    assert len(await running.stage.all_events(ProfileObserved)) == 2
    assert before.deleted_at is None


async def test_who_may_notify_and_how(start_lifecycle: "StartLifecycle") -> None:
    certificate = "ab" * 32
    running = await start_lifecycle(
        notification_certificates={"primary": certificate}, client_certificate_header="X-Client-Cert"
    )
    made = await running.sold()
    path = "/operators/primary/gsma/rsp2/es2plus/handleDownloadProgressInfo"
    body = {
        "header": {"functionRequesterIdentifier": "op", "functionCallIdentifier": "1"},
        "iccid": f"{made.iccid}F",
        "profileType": "TR-STD",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "notificationPointId": 3,
        "notificationPointStatus": {"status": "Executed-Success"},
        "resultData": "A0B1",
    }
    protocol = {"X-Admin-Protocol": "gsma/rsp/v2.1.0"}
    answer = await running.post(path, body, Authorization=f"Bearer {SECRET}", **protocol)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-admin-protocol"] == "gsma/rsp/v2.5.0"
    again = await running.post(f"{path}?secret={SECRET}", body, **protocol)
    shown = ":".join(["AB"] * 32)
    by_certificate = await running.post(path, body, **protocol, **{"X-Client-Cert": shown})
    assert (again.status_code, by_certificate.status_code) == (204, 204)
    assert len(await running.rows("SELECT 1 FROM observations")) == 1  # the same report, three times
    for wrong in ({}, {"Authorization": "Bearer wrong"}, {"X-Client-Cert": "cd" * 32}):
        refused = await running.post(path, body, **protocol, **wrong)
        assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:unknown-notifier")
    unknown = await running.post(path.replace("primary", "other"), body, **protocol)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:problem:unknown-operator")
    secret = {"Authorization": f"Bearer {SECRET}"}
    assert (await running.post(path, body, **secret)).status_code == 204  # the release of the protocol decides nothing
    malformed = await running.post(path, b"{", **protocol, **secret)
    assert (malformed.status_code, malformed.json()["type"]) == (400, "urn:problem:unreadable-report")
    headless = await running.post(path, body | {"header": {}, "profileType": None}, **protocol, **secret)
    assert headless.status_code == 204


async def test_usage_pushes_are_signed_of_now_and_counted_once(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    # A push carries no total, so the operator is queried for it: here it does not answer.
    await running.sandbox.faults(UNREACHABLE)
    await running.sandbox.use_data(made.iccid, 5000)
    await running.observed(made, used=5000)
    push = partial(running.sandbox.push_usage, made.iccid)
    assert await push(signature="wrong", fields={"usedBytes": 9000}) == [401]
    assert await push(signature="missing", fields={"usedBytes": 9000}) == [401]
    old = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert await push(fields={"timestamp": old, "usedBytes": 9000}) == [409]
    assert await push(fields={"usedBytes": "many"}) == [204]
    assert await push(fields={"usedBytes": 2**70}) == [204]
    assert await push(fields={"iccid": "none"}) == [400]
    later = datetime.now(UTC).isoformat()
    assert await push(fields={"usedBytes": 10, "usedBytesAt": later}, times=3) == [204, 204, 204]
    verdicts = [row.verdict for row in await running.rows("SELECT verdict FROM observations ORDER BY received_at")]
    assert verdicts == ["applied", "confirmed", "confirmed", "backwards"]
    assert (await running.life(made.order_id))["used_bytes"]["value"] == 5000
    metrics = (await running.get("/metrics")).text
    name = 'profile_reports_total{operator="primary",source="operator-push",verdict='
    for verdict, count in (("bad_signature", 2), ("outside_window", 1), ("replayed", 2), ("backwards", 1)):
        assert f'{name}"{verdict}"}} {count}.0' in metrics
    assert 'operator_fields_not_understood_total{field="feed.usedBytes",operator="primary"} 2.0' in metrics


async def test_the_operator_is_queried_when_no_report_comes(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_catalogue(progress_url="", push_url="")
    await running.sandbox.phone(made.iccid, 3, 4)
    await running.move(timedelta(minutes=30))
    event = await running.observed(made, state="installed")
    assert (event.install.source, event.usage.used_bytes, event.usage.total_bytes) == ("operator-feed", 0, 5 * 2**30)
    seen = await running.life(made.order_id)
    assert seen["polling"]["last_look_at"] is not None
    due = datetime.fromisoformat(seen["polling"]["next_look_at"])
    assert timedelta(minutes=19) < due - running.clock.now() < timedelta(minutes=23)
    assert len([one for one in await running.sandbox.requests("usage/") if one["method"] == "GET"]) == 1


async def test_a_case_is_answered_now_with_how_fresh_it_is(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    request = running.requested(made)
    await running.stage.publish(request)
    answer = await running.observed(made, case_id=request.case_id)
    assert (answer.reached, answer.install.state, answer.usage.used_bytes) == (True, "released", 0)
    assert answer.install.observed_at is not None
    assert abs(answer.observed_at - answer.install.observed_at) < timedelta(seconds=10)
    again = running.requested(made)
    await running.stage.publish(again, request)
    await running.observed(made, case_id=again.case_id)
    answers = [one.event.case_id for one in await running.stage.all_events(ProfileObserved) if one.event.case_id]
    assert sorted(answers) == sorted([request.case_id, again.case_id])


async def test_a_case_that_requests_the_state_again_later_is_answered_again(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    request = running.requested(made)
    await running.stage.publish(request)
    first = await running.observed(made, case_id=request.case_id)
    later = request.model_copy(update={"requested_at": first.observed_at + timedelta(seconds=1)})
    await running.stage.publish(later, later)
    answers = await running.stage.events(ProfileObserved, count=2, where=lambda event: event.case_id == request.case_id)
    assert all(one.event.reached for one in answers)


async def test_an_unreachable_operator_is_unknown_not_unused(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503})
    request = running.requested(made)
    await running.stage.publish(request)
    unreached = await running.observed(made, case_id=request.case_id)
    assert (unreached.reached, unreached.install.state, unreached.usage.used_bytes) == (False, "unknown", None)
    await running.sandbox.clear_faults()
    await running.move(timedelta(minutes=20))
    await running.observed(made, case_id=request.case_id, reached=True)
    answers = [one.event.reached for one in await running.stage.all_events(ProfileObserved) if one.event.case_id]
    assert answers == [False, True]
    [inquiry] = (await running.life(made.order_id))["inquiries"]
    assert inquiry["unreached_at"] < inquiry["answered_at"]


async def test_a_case_that_comes_before_the_profile_is_answered_when_it_is_generated(
    start_lifecycle: "StartLifecycle",
) -> None:
    running = await start_lifecycle()
    await running.sandbox.faults({"target": "operator.download_order", "effect": "http_error", "status": 503})
    order = await running.paid()
    request = running.requested(order)
    await running.stage.publish(request)

    async def noted() -> bool:
        return bool(await running.rows("SELECT 1 FROM inquiries"))

    await running.stage.eventually(noted)
    await running.sandbox.clear_faults()
    [answer] = await running.stage.events(ProfileObserved, where=lambda event: event.case_id == request.case_id)
    assert answer.event.order_id == order.order_id
