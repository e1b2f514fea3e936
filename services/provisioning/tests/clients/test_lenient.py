"""One field of a good message becomes garbage: the required fields still count, and nothing raises."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.clients.airalo import messages as airalo
from provisioning.clients.es2plus.messages import Executed, Failed, Silent, read_answer
from provisioning.clients.es2plus.notifications import SOURCE, UNDATED, read_notification
from provisioning.clients.feed.messages import read_report, read_top_up
from provisioning.clients.feed.pushes import read_push
from provisioning.clients.fields import MOST_BYTES, Unparsed, read_object
from shared.testing.documents import JsonObject
from shared.testing.garbage import MISSING, VALUES, Path, paths, spoilt, storable

ICCID, EID = "8999702000000000018", "89049032123451234512345678901235"
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AT = "2026-11-20T11:00:00+00:00"
SECRET = "K7Q2SECRETMATCHINGID234567"

NOTIFICATION: JsonObject = {
    "header": {"functionRequesterIdentifier": "2.999.7", "functionCallIdentifier": "call-1"},
    "eid": EID,
    "iccid": f"{ICCID}F",
    "profileType": "TR-STD",
    "timestamp": AT,
    "notificationPointId": 4,
    "notificationPointStatus": {
        "status": "Executed-Success",
        "statusCodeData": {"subjectCode": "8.1", "reasonCode": "4.8"},
    },
    "resultData": "A0B1",
}
FEED: JsonObject = {
    "iccid": ICCID,
    "profileType": "TR-STD",
    "source": "operator",
    "observedAt": AT,
    "eid": EID,
    "installState": "enabled",
    "installStateAt": AT,
    "usedBytes": 5000,
    "usedBytesAt": AT,
    "firstUseAt": AT,
    "totalBytes": 9000,
    "validUntil": "2026-12-20T11:00:00Z",
}
ANSWER: JsonObject = {
    "header": {"functionExecutionStatus": {"status": "Executed-Success", "statusCodeData": {"message": "fine"}}},
    "iccid": f"{ICCID}F",
    "matchingId": SECRET,
    "smdpAddress": "smdp.example",
    "eid": EID,
}
REFUSAL: JsonObject = {
    "header": {
        "functionExecutionStatus": {
            "status": "Failed",
            "statusCodeData": {
                "subjectCode": "8.2.1",
                "reasonCode": "3.3",
                "message": "taken",
                "subjectIdentifier": "x",
            },
        }
    }
}
SIM: JsonObject = {
    "id": 7,
    "iccid": "8997212330099025334",
    "lpa": "lpa.airalo.com",
    "matching_id": "TEST",
    "qrcode": "LPA:1$lpa.airalo.com$TEST",
    "confirmation_code": None,
    "apn": {"ios": {"apn_type": "automatic"}, "android": {"apn_type": "manual", "apn_value": "web"}},
    "apn_value": "web",
    "is_roaming": True,
}
ORDER: JsonObject = {
    "id": 5,
    "code": "20261120-000005",
    "type": "sim",
    "description": "10000001",
    "quantity": "1",
    "price": 9.5,
    "sims": [SIM],
    "status": {"name": "Completed", "slug": "completed"},
}
USAGE: JsonObject = {
    "remaining": 767,
    "total": 2048,
    "expired_at": "2026-12-01 10:30:00",
    "is_unlimited": False,
    "status": "ACTIVE",
}


def fields_of(message: JsonObject) -> st.SearchStrategy[Path]:
    return st.sampled_from(list(paths(message)))


@settings(deadline=None)
@given(fields_of(NOTIFICATION), VALUES)
def test_a_notification_counts_whatever_stands_in_its_other_fields(path: Path, value: object) -> None:
    odd: Unparsed = set()
    found = read_notification(spoilt(NOTIFICATION, path, value), {}, odd)
    if path == ("iccid",):
        assert found is None or found.iccid != ICCID or value in (int(ICCID), ICCID)
        return
    assert found is not None
    report = found.report(NOW)
    assert (found.iccid, report.source) == (ICCID, SOURCE if path != ("timestamp",) or found.at else UNDATED)
    assert report.at.utcoffset() is not None
    assert report.eid in (None, EID)
    if path[0] == "notificationPointId":
        assert (report.install == "installed") == (found.state == "installed")
    elif path[:2] in {("notificationPointStatus",), ("notificationPointStatus", "status")}:
        assert (report.install == "installed") == (found.succeeded is True)
    else:
        assert (report.install, report.failed) == ("installed", False)
    assert storable((found.detail(), found.same(NOW), sorted(odd)))


def test_what_is_not_understood_is_counted_by_its_name() -> None:
    for path, name in (
        (("eid",), "notification.eid"),
        (("timestamp",), "notification.timestamp"),
        (("notificationPointId",), "notification.notificationPointId"),
        (("notificationPointStatus", "status"), "notification.notificationPointStatus.status"),
        (("notificationPointStatus", "statusCodeData"), "notification.notificationPointStatus.statusCodeData"),
        (("header",), "notification.header"),
    ):
        odd: Unparsed = set()
        read_notification(spoilt(NOTIFICATION, path, 5.5), {}, odd)
        assert odd == {name}
    odd = set()
    read_notification(json.dumps(NOTIFICATION).encode(), {}, odd)
    assert odd == set()


@pytest.mark.parametrize(
    ("fields", "source", "at"),
    [
        ({"timestamp": "2026-11-20T11:00:00"}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": "20261120T110000Z"}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": 1_795_172_400}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": 1_795_172_400_000}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": "1795172400"}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": None, "timeStamp": 1_795_172_400}, SOURCE, NOW.replace(hour=11)),
        ({"timestamp": None}, UNDATED, NOW),
        ({"timestamp": "2026-11-20"}, UNDATED, NOW),
        ({"timestamp": "yesterday"}, UNDATED, NOW),
        ({"timestamp": 5}, UNDATED, NOW),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, UNDATED, NOW),
    ],
)
def test_times_in_many_spellings(fields: JsonObject, source: str, at: datetime) -> None:
    found = read_notification(json.dumps(NOTIFICATION | fields).encode(), {}, set())
    assert found is not None
    report = found.report(NOW)
    assert (report.source, report.at, report.install_since, report.install) == (source, at, at, "installed")


@pytest.mark.parametrize(
    ("status", "succeeded"),
    [
        ("Executed-Success", True),
        ("executed-success", True),
        ("EXECUTED_WITHWARNING", True),
        ("Executed-WithWarning", True),
        ("Failed", False),
        ("expired", False),
        ("Perhaps", None),
        ("Executed-WithError", None),
        ("", None),
    ],
)
def test_statuses_in_many_spellings(status: str, succeeded: bool | None) -> None:
    for written in ({"status": status}, status):
        found = read_notification(json.dumps(NOTIFICATION | {"notificationPointStatus": written}).encode(), {}, set())
        assert found is not None
        report = found.report(NOW)
        assert (report.install, report.failed) == ("installed" if succeeded else "unknown", succeeded is False)


@pytest.mark.parametrize(
    ("point", "state", "odd"),
    [
        (3, "downloaded", False),
        ("3", "downloaded", False),
        (3.0, "downloaded", False),
        ("Bpp-Download", "downloaded", False),
        (5, "deleted", False),
        (1, "unknown", False),
        ("vendor-17", "unknown", True),
        ("Vendor-6", "enabled", False),
        (None, "unknown", True),
        (True, "unknown", True),
        ({}, "unknown", True),
    ],
)
def test_points_in_many_spellings(point: object, state: str, odd: bool) -> None:
    noted: Unparsed = set()
    body = json.dumps(NOTIFICATION | {"notificationPointId": point}).encode()
    found = read_notification(body, {"vendor-6": "enabled"}, noted)
    assert found is not None
    assert (found.report(NOW).install, noted) == (state, {"notification.notificationPointId"} if odd else set())


def test_a_repeated_notification_is_equal_and_a_repeated_step_is_not() -> None:
    def same(**fields: object) -> tuple[str, ...]:
        body = json.dumps(NOTIFICATION | fields).encode()
        found = read_notification(body, {}, set())
        assert found is not None
        return found.same(NOW)

    other_call = {"functionCallIdentifier": "call-2"}
    assert same() == same(header=other_call)
    assert same(timestamp=None) == same(timestamp="")
    assert same(timestamp=None) != same(timestamp=None, header=other_call)


@settings(deadline=None)
@given(fields_of(FEED), VALUES)
def test_a_report_counts_whatever_stands_in_its_other_fields(path: Path, value: object) -> None:
    odd: Unparsed = set()
    status = read_report(spoilt(FEED, path, value), ICCID, odd)
    [field] = path
    if status is None:
        assert field == "iccid"
        return
    assert status.usage is not None
    usage = status.usage.usage
    assert field == "installState" or status.install.state == "enabled"
    assert field == "usedBytes" or usage.used_bytes == 5000
    assert field == "totalBytes" or usage.total_bytes == 9000
    assert field == "eid" or status.eid == EID
    for number in (usage.used_bytes, usage.total_bytes):
        assert number is None or 0 <= number <= MOST_BYTES
    assert storable((status.eid, sorted(odd)))


@settings(deadline=None)
@given(st.sampled_from(["totalBytes", "validUntil"]), VALUES)
def test_a_top_up_counts_whatever_its_answer_contains(field: str, value: object) -> None:
    found = read_top_up(spoilt({"totalBytes": 9000, "validUntil": AT}, (field,), value), set())
    assert found is not None
    assert found.total_bytes == 9000 or field == "totalBytes"
    assert found.total_bytes is None or 0 <= found.total_bytes <= MOST_BYTES


@settings(deadline=None)
@given(VALUES)
def test_a_push_is_of_its_time_whatever_its_id(value: object) -> None:
    push = read_push(spoilt(FEED | {"timestamp": AT, "id": "7"}, ("id",), value), set())
    assert push is not None
    assert (push.iccid, push.timestamp) == (ICCID, NOW.replace(hour=11))
    assert storable(push.id)


@settings(deadline=None)
@given(fields_of(ANSWER), VALUES)
def test_an_es2plus_answer_counts_whatever_stands_in_its_other_fields(path: Path, value: object) -> None:
    answer = read_answer(200, spoilt(ANSWER, path, value), set(), secret=SECRET)
    if path in {("header",), ("header", "functionExecutionStatus"), ("header", "functionExecutionStatus", "status")}:
        assert isinstance(answer, Silent | Executed | Failed)
        return
    assert isinstance(answer, Executed)
    assert path == ("iccid",) or answer.iccid == ICCID
    assert path == ("matchingId",) or answer.matching_id == SECRET
    assert path == ("smdpAddress",) or answer.smdp_address == "smdp.example"
    assert storable((answer.iccid, answer.matching_id, answer.smdp_address))


@settings(deadline=None)
@given(fields_of(REFUSAL), VALUES)
def test_a_refusal_counts_whatever_its_message(path: Path, value: object) -> None:
    answer = read_answer(200, spoilt(REFUSAL, path, value), set(), secret=SECRET)
    if path[-1] == "message":
        assert isinstance(answer, Failed)
        assert answer.pair == ("8.2.1", "3.3")
    elif path[-1] in ("subjectCode", "reasonCode", "statusCodeData"):
        assert isinstance(answer, Failed)
    assert storable(answer)


@settings(deadline=None)
@given(fields_of(ORDER), VALUES)
def test_an_order_of_a_list_counts_whatever_stands_in_its_other_fields(path: Path, value: object) -> None:
    """And the orders beside it count in any case."""
    odd: Unparsed = set()
    other = ORDER | {"id": 6, "description": "10000002"}
    body = b'{"data": [' + spoilt(ORDER, path, value) + b"," + json.dumps(other).encode() + b"]}"
    listed = airalo.read_orders(body, odd)
    assert listed is not None
    assert listed.shown == 2
    neighbour = airalo.ours(listed.orders, "10000002", "sim")
    assert neighbour is not None
    assert neighbour.sims[0].profile is not None
    own = airalo.ours(listed.orders, "10000001", "sim")
    if path[0] in ("description", "type"):
        return
    assert own is not None
    assert storable((own, sorted(odd)))
    whole_sim = path[:1] == ("sims",) and (len(path) < 3 or path[2] == "iccid")
    if not whole_sim:
        [sim] = own.sims
        assert sim.iccid == SIM["iccid"]
        assert sim.profile is not None or path[-1] in ("qrcode", "lpa", "matching_id")
        assert sim.profile is None or path[-1] == "qrcode" or sim.profile.matching_id == "TEST"
    assert path[0] == "status" or (own.completed and not own.failed and not own.refunded)


@settings(deadline=None)
@given(fields_of(USAGE), VALUES)
def test_a_resellers_usage_counts_whatever_stands_in_its_other_fields(path: Path, value: object) -> None:
    found = airalo.read_usage(b'{"data": ' + spoilt(USAGE, path, value) + b"}", NOW, set())
    assert found is not None
    [field] = path
    used = found.report.usage.used_bytes
    assert field == "status" or found.install.state == "enabled"
    assert used is None or 0 <= used <= MOST_BYTES
    if field == "expired_at":
        assert used == (2048 - 767) * 2**20
    if field == "is_unlimited" and value is not MISSING and value not in (None, "", False, 0, "0", "false"):
        assert used is None


@settings(deadline=None)
@given(st.sampled_from(["code", "reason", "data", "description"]), VALUES)
def test_a_webhook_with_a_request_id_counts_whatever_else_it_contains(field: str, value: object) -> None:
    message = {"request_id": "r-1", "code": 33, "reason": "no stock", "description": "7", "data": []}
    notice = airalo.read_notice(spoilt(message, (field,), value), set())
    assert notice is not None
    assert notice.request_id == "r-1"
    assert notice.code is None or 0 <= notice.code < 2**31
    assert storable(notice)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_object_or_none(body: bytes) -> None:
    read_object(body, "x", set())


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"usedBytes": ' + b"9" * 10_000 + b"}",
        b'{"usedBytes": 1e999}',
        b'{"usedBytes": NaN}',
        b'\xef\xbb\xbf{"iccid": "8999702000000000018"}',
        b'{"iccid": "8999702000000000018", "installState": "\xff\xfe"}',
    ],
)
def test_odd_bytes_cost_the_field_they_stand_in(body: bytes) -> None:
    report = read_report(body, ICCID, set())
    if report is not None:
        assert (report.install.state, report.usage and report.usage.usage.used_bytes) == ("unknown", None)
