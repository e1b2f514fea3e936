"""What the reseller's answers mean, without a reseller."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.domain import airalo
from provisioning.domain.airalo import Notice, Order, Sim
from provisioning.domain.operator import Made, NotNow, Refused, Unknown

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SIM = {
    "iccid": "8997212330099025334",
    "lpa": "lpa.airalo.com",
    "matching_id": "TEST",
    "qrcode": "LPA:1$lpa.airalo.com$TEST",
}
FIELDS = st.sampled_from(["request_id", "data", "code", "reason", "description"])
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(FIELDS, one)
)


@pytest.mark.parametrize("leave_out", [{"qrcode"}, {"lpa", "matching_id"}, set()])
def test_the_code_is_read_from_whatever_holds_it(leave_out: set[str]) -> None:
    sim = Sim.model_validate({name: value for name, value in SIM.items() if name not in leave_out})
    assert sim.made() == Made("lpa.airalo.com", "TEST", None, SIM["iccid"])


@pytest.mark.parametrize("qrcode", [None, "", "LPA:2$a$b", "LPA:1$$b", "LPA:1$a$", "https://x"])
def test_a_code_that_is_none(qrcode: str | None) -> None:
    assert Sim(iccid=SIM["iccid"], qrcode=qrcode).made() is None


def test_only_the_very_description_is_ours_and_the_oldest_counts() -> None:
    orders = [
        Order(id=4, description="10000001"),
        Order(id=3, description="10000001"),
        Order(id=2, description="10000001", type="topup"),
        Order(id=1, description="110000001"),
    ]
    found = airalo.ours(orders, "10000001", "sim")
    assert found is not None
    assert found.id == 3
    assert airalo.ours(orders, "1000000", "sim") is None


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (422, {"code": 33, "reason": "no stock"}, Refused),
        (422, {"code": 11, "reason": "no credit"}, NotNow),
        (422, {"code": 999, "reason": "new"}, Unknown),
        (422, {"data": {"quantity": "x"}, "meta": {}}, Refused),
        (429, {}, NotNow),
        (403, {}, NotNow),
        (500, {}, Unknown),
        (502, {"code": 33, "reason": "x"}, Unknown),
    ],
)
def test_refusals(status: int, body: dict[str, Any], kind: type) -> None:
    assert isinstance(airalo.refusal(status, json.dumps(body).encode()), kind)


def usage(**fields: Any) -> airalo.UsageAnswer:
    data = {"remaining": 767, "total": 2048, "expired_at": None, "is_unlimited": False, "status": "ACTIVE"} | fields
    found = airalo.read_usage(json.dumps({"data": data}).encode(), NOW)
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


@pytest.mark.parametrize("fields", [{"status": "UNKNOWN"}, {"is_unlimited": True}, {"total": None}])
def test_unknown_is_never_zero(fields: dict[str, Any]) -> None:
    assert usage(**fields).report.usage.used_bytes is None


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_nothing_is_used_twice_or_less_than_nothing(remaining: int, total: int) -> None:
    used = usage(remaining=remaining, total=total).report.usage.used_bytes
    assert used == max(0, total - remaining) * 2**20


@pytest.mark.parametrize(
    ("value", "notice"),
    [
        ({"request_id": "r", "data": {"description": "7", "data": "1 GB"}}, Notice("r", "7", None)),
        ({"request_id": "r", "description": "7", "data": "1 GB"}, Notice("r", "7", None)),
        ({"data": {"request_id": "r", "description": "7"}}, Notice("r", "7", None)),
        ({"request_id": "r", "code": "33", "reason": "no stock"}, Notice("r", None, 33)),
        ({"request_id": "r", "code": "20230227-009666", "description": "7"}, Notice("r", "7", None)),
        ({"request_id": 5}, None),
        ({}, None),
        ([], None),
        ("text", None),
    ],
)
def test_webhooks_of_any_shape(value: Any, notice: Notice | None) -> None:
    assert airalo.read_notice(value) == notice


@settings(deadline=None)
@given(VALUES)
def test_no_webhook_is_too_odd(value: Any) -> None:
    found = airalo.read_notice(value)
    assert found is None or found.request_id


@settings(deadline=None)
@given(st.binary())
def test_no_answer_is_too_odd(body: bytes) -> None:
    for read in (airalo.read_order, airalo.read_orders, airalo.read_accepted, airalo.read_token, airalo.read_refund):
        assert read(body) is None
    assert airalo.read_usage(body, NOW) is None


@settings(deadline=None)
@given(st.binary(), st.text(max_size=200))
def test_only_the_right_signature_is_right(body: bytes, other: str) -> None:
    right = hmac.new(b"secret", body, hashlib.sha512).hexdigest()
    assert airalo.is_signed(body, right, "secret")
    assert airalo.is_signed(body, other, "secret") == (other.strip().lower() == right)
    assert not airalo.is_signed(body, None, "secret")
