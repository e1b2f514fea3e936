"""Parsing of Airalo's answers, without a server."""

import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from provisioning.clients.airalo import messages as airalo
from provisioning.clients.airalo.messages import Notice, Order
from provisioning.clients.fields import Unparsed, read_object
from provisioning.clients.models import OperatorNotSent, OperatorProfile, OperatorRefused, OperatorUnknown
from shared.testing.documents import JsonObject

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SIM = {
    "iccid": "8997212330099025334",
    "lpa": "lpa.airalo.com",
    "matching_id": "TEST",
    "qrcode": "LPA:1$lpa.airalo.com$TEST",
}
FIELDS = st.sampled_from(["request_id", "data", "code", "reason", "description"])
VALUES: st.SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(FIELDS, one)
)


def sim(**fields: object) -> airalo.Sim | None:
    data = {"id": 1, "description": "7", "sims": [SIM | fields]}
    order = airalo.read_order(json.dumps({"data": data}).encode(), set())
    assert order is not None
    return order.sims[0] if order.sims else None


@pytest.mark.parametrize("leave_out", [{"qrcode"}, {"lpa", "matching_id"}, set()])
def test_the_code_is_read_from_whatever_holds_it(leave_out: set[str]) -> None:
    found = sim(**dict.fromkeys(leave_out))
    assert found is not None
    assert found.profile == OperatorProfile("lpa.airalo.com", "TEST", None, SIM["iccid"])


@pytest.mark.parametrize("qrcode", [None, "", "LPA:2$a$b", "LPA:1$$b", "LPA:1$a$", "https://x", "LPA:1$a$b\x00", 7, {}])
def test_a_code_that_is_none(qrcode: object) -> None:
    found = sim(qrcode=qrcode, lpa=None, matching_id=None)
    assert found is not None
    assert found.profile is None


@pytest.mark.parametrize(
    ("tail", "confirmation_code", "asks", "oid"),
    [("", None, False, None), ("$$1", None, True, None), ("$1.3.6.1$1", "77", True, "1.3.6.1"), ("", 77, True, None)],
)
def test_the_flag_of_a_confirmation_code_is_kept(tail: str, confirmation_code: object, asks: bool, oid: str) -> None:
    found = sim(qrcode=f"LPA:1$lpa.airalo.com$TEST{tail}", confirmation_code=confirmation_code)
    assert found is not None
    assert found.profile is not None
    assert (found.profile.asks_confirmation_code, found.profile.oid) == (asks, oid)
    assert found.profile.confirmation_code == (str(confirmation_code) if confirmation_code else None)


@pytest.mark.parametrize(
    ("fields", "apn"),
    [
        ({"apn_value": "singleall"}, "singleall"),
        ({"apn_value": None}, None),
        ({"apn": {"ios": {"apn_type": "automatic"}, "android": {"apn_type": "manual", "apn_value": "web"}}}, "web"),
        ({"apn": {"ios": {"apn_value": "web"}, "android": {"apn_value": "web"}}, "apn_value": "old"}, "web"),
        ({"apn": {"ios": {"apn_value": "one"}, "android": {"apn_value": "two"}}}, "one (iOS), two (Android)"),
        ({"apn": {"ios": {"apn_value": None}, "android": []}, "apn_value": "old"}, "old"),
        ({"apn": "plain"}, "plain"),
        ({"apn": [], "apn_value": "a\x00b"}, "ab"),
    ],
)
def test_access_points_may_differ_by_system(fields: JsonObject, apn: str | None) -> None:
    found = sim(**fields)
    assert found is not None
    assert found.profile is not None
    assert found.profile.apn == apn


@pytest.mark.parametrize("iccid", ["8997212330099025334F", "8997212330099025334f", 8997212330099025334])
def test_a_filled_up_iccid_is_the_iccid(iccid: object) -> None:
    found = sim(iccid=iccid)
    assert found is not None
    assert found.iccid == SIM["iccid"]


def test_only_the_very_description_is_ours_and_the_oldest_counts() -> None:
    orders = [
        Order(id=4, description="10000001", type="sim"),
        Order(id=3, description="10000001"),
        Order(id=2, description="10000001", type="topup"),
        Order(id=1, description="110000001", type="sim"),
        Order(id=0, description="10000001", type="sim", status="failed"),
    ]
    found = airalo.ours(orders, "10000001", "sim")
    assert found is not None
    assert found.id == 3
    assert airalo.ours(orders, "1000000", "sim") is None


def test_one_unreadable_order_does_not_cost_the_list() -> None:
    odd: Unparsed = set()
    data = [
        {"id": 1, "description": "7", "sims": [SIM | {"iccid": "secret"}, "x", SIM]},
        {"id": 2, "description": {}},
        5,
    ]
    listed = airalo.read_orders(json.dumps({"data": data}).encode(), odd)
    assert listed is not None
    assert (len(listed.orders), listed.shown, listed.complete) == (1, 3, False)
    assert [one.iccid for one in listed.orders[0].sims] == [SIM["iccid"]]
    assert odd == {"airalo.data.sims.iccid", "airalo.data.description"}
    empty = airalo.read_orders(b'{"data": []}', set())
    assert empty is not None
    assert (empty.orders, empty.complete) == ((), True)


@pytest.mark.parametrize(
    ("status", "sims", "failed", "completed"),
    [
        ({"slug": "completed"}, [SIM], False, True),
        ({"slug": "failed"}, [], True, False),
        ({"slug": "Failed"}, [SIM], False, False),
        ("failed", [], True, False),
        ({"slug": "in_review"}, [], False, False),
        (None, [], False, True),
        ([], [], False, True),
    ],
)
def test_how_an_order_stands(status: object, sims: list[object], failed: bool, completed: bool) -> None:
    data = {"id": 1, "description": "7", "sims": sims, "status": status}
    order = airalo.read_order(json.dumps({"data": data}).encode(), set())
    assert order is not None
    assert (order.failed, order.completed, order.refunded) == (failed, completed, False)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"code": 33, "reason": "no stock"}, OperatorRefused),
        (422, {"code": 11, "reason": "no credit"}, OperatorNotSent),
        (422, {"code": 999, "reason": "new"}, OperatorUnknown),
        (422, {"data": {"quantity": "x"}, "meta": {}}, OperatorRefused),
        (429, {}, OperatorNotSent),
        (403, {}, OperatorNotSent),
        (422, {"code": "33"}, OperatorRefused),
        (422, {"code": {"odd": 1}, "reason": "no stock"}, OperatorUnknown),
        (422, {"code": 33, "reason": ["odd"]}, OperatorRefused),
        (500, {}, OperatorUnknown),
        (502, {"code": 33, "reason": "x"}, OperatorUnknown),
    ],
)
def test_refusals(status: int, body: JsonObject, kind: type) -> None:
    assert isinstance(airalo.refusal(status, json.dumps(body).encode(), set()), kind)


def usage(**fields: object) -> airalo.UsageAnswer:
    data = {"remaining": 767, "total": 2048, "expired_at": None, "is_unlimited": False, "status": "ACTIVE"} | fields
    found = airalo.read_usage(json.dumps({"data": data}).encode(), NOW, set())
    assert found is not None
    return found


def test_megabytes_become_bytes() -> None:
    report = usage(expired_at="2026-06-01 10:30:00").report
    assert (report.usage.used_bytes, report.usage.total_bytes) == ((2048 - 767) * 2**20, 2048 * 2**20)
    assert report.ends_at == datetime(2026, 6, 1, 10, 30, tzinfo=UTC)
    assert not report.ended


@pytest.mark.parametrize(
    ("status", "install", "ended"),
    [
        ("NOT_ACTIVE", "unknown", False),
        ("ACTIVE", "enabled", False),
        ("FINISHED", "installed", True),
        ("UNKNOWN", "unknown", False),
        ("EXPIRED", "unknown", True),
        ("RECYCLED", "unknown", True),
    ],
)
def test_states(status: str, install: str, ended: bool) -> None:
    found = usage(status=status)
    assert (found.install.state, found.report.ended) == (install, ended)
    assert (found.install.observed_at is None) == (install == "unknown")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "UNKNOWN"},
        {"is_unlimited": True},
        {"is_unlimited": "perhaps"},
        {"total": None},
        {"total": 0, "remaining": 0},
        {"total": 2**60},
        {"total": -5},
        {"remaining": None},
        {"remaining": 4096},
        {"remaining": -1},
        {"remaining": "much"},
    ],
)
def test_unknown_is_never_zero(fields: JsonObject) -> None:
    found = usage(**fields)
    assert found.report.usage.used_bytes is None
    assert found.install.state in ("enabled", "unknown")


def test_a_plan_that_is_used_up_has_been_used_even_without_a_number() -> None:
    assert usage(status="FINISHED", is_unlimited=True).report.first_used_at == NOW
    assert usage(status="EXPIRED", is_unlimited=True).report.first_used_at is None


@pytest.mark.parametrize("data", [[], {}, None, "x", {"status": "PAUSED"}, {"status": 7}])
def test_an_empty_answer_is_unknown_not_unused(data: object) -> None:
    found = airalo.read_usage(json.dumps({"data": data}).encode(), NOW, set())
    assert found is not None
    assert (found.install.state, found.report.usage.used_bytes, found.in_use) == ("unknown", None, False)


def test_a_status_that_is_new_leaves_the_numbers() -> None:
    odd: Unparsed = set()
    data = {"remaining": 1024, "total": 2048, "is_unlimited": False, "status": "PAUSED"}
    found = airalo.read_usage(json.dumps({"data": data}).encode(), NOW, odd)
    assert found is not None
    assert (found.install.state, found.report.usage.used_bytes, found.in_use) == ("unknown", 2**30, True)
    assert odd == {"airalo.data.status"}


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_nothing_is_used_twice_or_less_than_nothing(remaining: int, total: int) -> None:
    used = usage(remaining=remaining, total=total).report.usage.used_bytes
    assert used == ((total - remaining) * 2**20 if total > 0 and remaining <= total else None)


@pytest.mark.parametrize(
    ("value", "notice"),
    [
        ({"request_id": "r", "data": {"description": "7", "data": "1 GB"}}, Notice("r", "7", None)),
        ({"request_id": "r", "description": "7", "data": "1 GB"}, Notice("r", "7", None)),
        ({"data": {"request_id": "r", "description": "7"}}, Notice("r", "7", None)),
        ({"request_id": "r", "code": "33", "reason": "no stock"}, Notice("r", None, 33)),
        ({"request_id": "r", "code": "20230227-009666", "description": "7"}, Notice("r", "7", None)),
        ({"request_id": 5}, Notice("5", None, None)),
        ({"request_id": "r", "code": 2**40, "reason": "new"}, Notice("r", None, None)),
        ({"request_id": "r", "data": [], "description": {}}, Notice("r", None, None)),
        ({"request_id": "r\x00"}, None),
        ({}, None),
        ([], None),
        ("text", None),
    ],
)
def test_webhooks_of_any_shape(value: object, notice: Notice | None) -> None:
    assert airalo.read_notice(json.dumps(value).encode(), set()) == notice


@settings(deadline=None)
@given(VALUES)
def test_no_webhook_is_too_odd(value: object) -> None:
    found = airalo.read_notice(json.dumps(value).encode(), set())
    assert found is None or found.request_id


@settings(deadline=None)
@given(st.binary())
@example(b"{}")
def test_no_answer_is_too_odd(body: bytes) -> None:
    for read in (airalo.read_order, airalo.read_orders, airalo.read_accepted, airalo.read_token):
        assert read(body, set()) is None
    # A JSON object without fields is an answer to these two: without an id, and with an unknown state and usage.
    is_object = read_object(body, "test", set()) is not None
    assert airalo.read_refund(body, set()) == ("" if is_object else None)
    usage = airalo.read_usage(body, NOW, set())
    assert (usage is not None) == is_object
    assert usage is None or (usage.install.state, usage.report.usage.used_bytes) == ("unknown", None)


@settings(deadline=None)
@given(st.binary(), st.text(max_size=200))
def test_only_the_right_signature_is_right(body: bytes, other: str) -> None:
    right = hmac.new(b"secret", body, hashlib.sha512).hexdigest()
    assert airalo.is_signed(body, right, "secret")
    assert airalo.is_signed(body, other, "secret") == (other.strip().lower() == right)
    assert not airalo.is_signed(body, None, "secret")
