"""Operators with other spellings, without knowledge, or with garbage: parsed fields count, and nothing raises."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.contracts import ProfileObserved, ProfileRevoked, RevocationRefused
from shared.testing.documents import JsonObject
from shared.testing.garbage import EXAMPLES, paths, spoilt

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import StartLifecycle


EID, SECRET = "89049032123451234512345678901235", "notify-secret"
PATH = "/operators/primary/gsma/rsp2/es2plus/handleDownloadProgressInfo"
ADMITTED = {"Authorization": f"Bearer {SECRET}", "X-Admin-Protocol": "gsma/rsp/v2.5.0"}


@pytest.mark.parametrize(
    ("behaviour", "source"),
    [
        ({"executed": "Executed-WithWarning", "timestamps": "seconds", "timestamp_name": "timeStamp"}, ""),
        ({"executed": "executed-success", "timestamps": "milliseconds", "protocol": "gsma/rsp/v3.1.0"}, ""),
        ({"timestamps": "missing", "protocol": "", "leave_out": ["profileType", "header"]}, "-undated"),
        ({"notification_fields": {"eid": "8" * 32, "timestamp": {}}}, "-undated"),
    ],
)
async def test_an_installation_counts_however_it_is_spelled(
    start_lifecycle: "StartLifecycle", behaviour: JsonObject, source: str
) -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_behaviour(**behaviour)
    assert (await running.sandbox.scan(running.code(made), EID, "download", "install"))["answers"] == [204, 204]
    event = await running.observed(made, state="installed")
    assert event.install.source == f"es2plus-notification{source}"
    assert event.downloaded_at is not None
    assert event.installed_at is not None
    assert abs(datetime.now(UTC) - event.installed_at).total_seconds() < 120


async def test_answers_spelled_otherwise_bring_the_profile(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle(smdp_address="smdp.sandbox.example")
    await running.sandbox.operator_behaviour(
        executed="executed-success", small_letters=True, answer_fields={"confirmOrder": {"smdpAddress": ""}}
    )
    made = await running.sold()
    code = running.code(made)
    assert code.startswith("LPA:1$smdp.sandbox.example$")
    assert code == code[:4] + code[4:].lower()


async def test_an_operator_without_answers_is_unknown_until_it_answers(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_catalogue(progress_url="", push_url="")
    for feed in ("silent", "none"):
        await running.sandbox.operator_behaviour(feed=feed)
        request = running.requested(made)
        await running.stage.publish(request)
        answer = await running.observed(made, case_id=request.case_id)
        assert (answer.reached, answer.install.state, answer.install.observed_at) == (True, "unknown", None)
        assert (answer.usage.used_bytes, answer.downloaded_at, answer.activated_at) == (None, None, None)
    await running.sandbox.scan(running.code(made), EID, "download")
    await running.sandbox.operator_behaviour(feed="full")
    request = running.requested(made)
    await running.stage.publish(request)
    answer = await running.observed(made, case_id=request.case_id)
    assert (answer.install.state, answer.usage.used_bytes, answer.activated_at) == ("downloaded", 0, None)
    assert answer.downloaded_at is not None
    assert answer.installed_at is None


async def test_an_operator_without_a_feed_reports_nothing(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle(operator_usage_url=None)
    made = await running.sold()
    request = running.requested(made)
    await running.stage.publish(request)
    answer = await running.observed(made, case_id=request.case_id)
    assert (answer.install.state, answer.usage.used_bytes) == ("unknown", None)
    await running.sandbox.scan(running.code(made), EID, "download")
    assert (await running.observed(made, state="downloaded")).usage.used_bytes is None


async def test_a_usage_beyond_all_plans_does_not_block_later_reports(start_lifecycle: "StartLifecycle") -> None:
    running = await start_lifecycle()
    made = await running.sold()
    push = running.sandbox.push_usage
    assert await push(made.iccid, fields={"usedBytes": 2**70, "totalBytes": 2**70, "installState": "enabled"}) == [204]
    event = await running.observed(made, state="enabled")
    assert (event.usage.used_bytes, event.usage.total_bytes) == (None, None)
    await running.sandbox.use_data(made.iccid, 5000)
    assert (await running.observed(made, used=5000)).usage.source == "operator-push"
    # What release 1.0.1 stored of such a number is healed by being read.
    poison = json.dumps({"by_device": {"": {"used_bytes": 2**70, "usage_at": "2026-11-01T00:00:00Z"}}})
    await running.write("UPDATE lives SET known = CAST(:known AS jsonb)", known=poison)
    await running.sandbox.use_data(made.iccid, 6000)
    assert (await running.observed(made, used=6000)).usage.used_bytes == 6000


async def test_no_garbage_is_a_server_error_or_blocks_later_reports(start_lifecycle: "StartLifecycle") -> None:
    """Every field of a notification, with garbage of each kind in it, over HTTP and into PostgreSQL."""
    running = await start_lifecycle()
    made = await running.sold()
    message: JsonObject = {
        "header": {"functionRequesterIdentifier": "op", "functionCallIdentifier": "1"},
        "eid": EID,
        "iccid": f"{made.iccid}F",
        "profileType": "TR-STD",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        "notificationPointId": 3,
        "notificationPointStatus": {
            "status": "Executed-Success",
            "statusCodeData": {"subjectCode": "8.1", "reasonCode": "4.8", "message": "x"},
        },
        "resultData": "A0",
    }
    for path in paths(message):
        for value in EXAMPLES:
            answer = await running.post(PATH, spoilt(message, path, value), **ADMITTED)
            assert answer.status_code in ({204, 400} if path == ("iccid",) else {204}), (path, answer.text)
    assert (await running.observed(made, state="downloaded")).downloaded_at is not None
    await running.sandbox.use_data(made.iccid, 7000)
    assert (await running.observed(made, used=7000)).install.state == "downloaded"
    metrics = (await running.get("/metrics")).text
    assert 'operator_fields_not_understood_total{field="notification.eid",operator="primary"}' in metrics
    assert made.iccid not in metrics


async def test_a_feed_that_lags_does_not_confirm_a_revocation(start_lifecycle: "StartLifecycle") -> None:
    """I13: the profile is taken, and the feed has not seen it yet; only a report of later than that counts."""
    running = await start_lifecycle()
    made = await running.sold()
    await running.sandbox.operator_catalogue(progress_url="", push_url="")
    await running.sandbox.scan(running.code(made), EID, "download")
    not_yet = {"installState": "not-installed", "eid": None, "installStateAt": None}
    await running.sandbox.operator_behaviour(feed_lag_seconds=120, feed_fields=not_yet)
    request = running.approved(made)
    await running.stage.publish(request)

    async def cancelled_twice() -> bool:
        return len(await running.sandbox.requests("cancelOrder")) >= 1 and bool(
            await running.sandbox.requests("usage/")
        )

    await running.stage.eventually(cancelled_twice)
    assert await running.stage.all_events(ProfileRevoked) == []
    await running.sandbox.operator_behaviour(afresh=True)
    await running.move(timedelta(minutes=1))
    [refused] = await running.stage.events(RevocationRefused)
    assert refused.event.case_id == request.case_id
    assert await running.stage.all_events(ProfileRevoked) == []
    assert {one.event.case_id for one in await running.stage.all_events(ProfileObserved)} <= {None}
