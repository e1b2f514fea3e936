"""A second operator, top-ups, phones that scan codes, and usage that is pushed."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


PROTOCOL = {"X-Admin-Protocol": "gsma/rsp/v2.5.0"}
ICCID = "8999701000000000019"
HERE, THERE = "/operator", "/operators/secondary"


def eid(serial: int) -> str:
    """An EID with the two check digits that make it 1 modulo 97."""
    body = f"{89049032:08d}{serial:022d}00"
    return f"{int(body) + 98 - int(body) % 97}"


async def made(sb: RunningSandbox, base: str = HERE, matching_id: str = "CODE-1", iccid: str = ICCID) -> str:
    """A released profile; returns its activation code."""
    header = {"functionRequesterIdentifier": "shop", "functionCallIdentifier": "1"}
    for function, body in (
        ("downloadOrder", {"profileType": "KZ-1GB"}),
        ("confirmOrder", {"releaseFlag": True, "matchingId": matching_id}),
    ):
        path = f"{base}/gsma/rsp2/es2plus/{function}"
        answer = (await sb.client.post(path, json={"header": header, "iccid": iccid, **body}, headers=PROTOCOL)).json()
        assert answer["header"]["functionExecutionStatus"] == {"status": "Executed-Success"}
    return f"LPA:1${answer['smdpAddress']}${matching_id}"


async def top_up(sb: RunningSandbox, key: str, gigabytes: int = 1, days: int = 7, base: str = HERE) -> httpx.Response:
    body = {"dataBytes": gigabytes * 2**30, "validityDays": days}
    return await sb.client.put(f"{base}/usage/{ICCID}/top-ups/{key}", json=body)


async def usage(sb: RunningSandbox, base: str = HERE) -> JsonObject:
    document: JsonObject = (await sb.client.get(f"{base}/usage/{ICCID}")).json()
    return document


async def test_operators_keep_books_of_their_own(sb: RunningSandbox) -> None:
    first, second = await made(sb), await made(sb, THERE)
    assert first != second
    assert [one["operator"] for one in await sb.ledger_operator(operator="primary")] == ["primary"]
    assert [one["operator"] for one in await sb.ledger_operator()] == ["primary", "secondary"]
    assert [one["operator"] for one in await sb.ledger_operator(operator="secondary")] == ["secondary"]
    await sb.operator_catalogue(operator="secondary", stock={"KZ-1GB": 0})
    assert (await sb.operator_catalogue())["stock"] == {}
    assert (await sb.client.get("/control/ledger/operator?operator=nobody")).status_code == 404


async def test_a_fault_strikes_all_operators_or_the_one_it_names(sb: RunningSandbox) -> None:
    fault = {"target": "operator.usage", "effect": "http_error", "status": 503}
    await sb.faults(fault | {"match": {"operator": "secondary"}})
    await made(sb)
    assert (await sb.client.get(f"{HERE}/usage/{ICCID}")).status_code == 200
    assert (await sb.client.get(f"{THERE}/usage/{ICCID}")).status_code == 503
    await sb.faults(fault)
    assert (await sb.client.get(f"{HERE}/usage/{ICCID}")).status_code == 503


async def test_a_top_up_is_added_once_for_each_key(sb: RunningSandbox) -> None:
    await made(sb)
    path = f"{HERE}/usage/{ICCID}/top-ups/k1"
    assert (await sb.client.get(path)).status_code == 404
    first = await top_up(sb, "k1")
    assert (first.status_code, first.json()) == (200, {"totalBytes": 6 * 2**30, "validUntil": None})
    again = await top_up(sb, "k1")
    assert again.json() == (await sb.client.get(path)).json() == first.json()
    assert (await top_up(sb, "k1", gigabytes=2)).status_code == 422
    assert (await top_up(sb, "k2")).json()["totalBytes"] == 7 * 2**30
    assert (await usage(sb))["totalBytes"] == 7 * 2**30


async def test_days_run_from_the_first_use_and_a_top_up_adds_some(sb: RunningSandbox) -> None:
    await made(sb)
    assert (await usage(sb))["validUntil"] is None
    await sb.use_data(ICCID, 1000)
    before = await usage(sb)
    started = datetime.fromisoformat(before["firstUseAt"])
    assert datetime.fromisoformat(before["validUntil"]) == started + timedelta(days=30)
    until = (await top_up(sb, "k1", days=7)).json()["validUntil"]
    assert datetime.fromisoformat(until) == started + timedelta(days=37)


@pytest.mark.parametrize("ended", ["cancelled", "deleted", "over"])
async def test_what_has_ended_takes_no_top_up(sb: RunningSandbox, ended: str) -> None:
    code = await made(sb)
    if ended == "cancelled":
        await cancel(sb)
    elif ended == "deleted":
        await sb.scan(code, eid(1), "download", "install", "delete")
    else:
        await sb.use_data(ICCID, 1, validUntil=(datetime.now(UTC) - timedelta(days=1)).isoformat())
    assert (await top_up(sb, "k1")).status_code == 409
    assert (await usage(sb))["totalBytes"] == 5 * 2**30


async def test_unknown_and_misspelt_top_ups(sb: RunningSandbox) -> None:
    assert (await top_up(sb, "k1")).status_code == 404
    bodies: list[object] = [{}, {"dataBytes": -1, "validityDays": 1}, {"dataBytes": "1", "validityDays": True}, []]
    for body in bodies:
        assert (await sb.client.put(f"{HERE}/usage/{ICCID}/top-ups/k", json=body)).status_code == 422


async def test_a_lost_reply_leaves_the_top_up_applied(sb: RunningSandbox) -> None:
    await made(sb)
    await sb.faults({"target": "operator.top_up", "effect": "lose_reply", "times": 1})
    with pytest.raises(httpx.HTTPError):
        await top_up(sb, "k1")
    assert (await sb.client.get(f"{HERE}/usage/{ICCID}/top-ups/k1")).status_code == 200
    assert len((await sb.ledger_operator())[0]["topUps"]) == 1


async def cancel(sb: RunningSandbox) -> None:
    header = {"functionRequesterIdentifier": "shop", "functionCallIdentifier": "2"}
    body = {"header": header, "iccid": ICCID, "finalProfileStatusIndicator": "Unavailable"}
    answer = await sb.client.post(f"{HERE}/gsma/rsp2/es2plus/cancelOrder", json=body, headers=PROTOCOL)
    assert answer.json()["header"]["functionExecutionStatus"] == {"status": "Executed-Success"}


@pytest.mark.parametrize(("ids", "kind"), [("int", int), ("string", str)])
async def test_the_life_of_a_profile_on_a_phone(sb: RunningSandbox, shop: "Shop", ids: str, kind: type) -> None:
    code = await made(sb)
    await sb.operator_catalogue(progress_url=f"{shop.url}/progress")
    seen = await sb.scan(code, eid(1), "download", "install", "enable", "disable", "delete", ids=ids)
    assert (seen["ok"], seen["iccid"], seen["installState"]) == (True, ICCID, "deleted")
    notifications = [await shop.webhook() for _ in range(5)]
    assert [one["notificationPointId"] for one in notifications] == [kind(3), kind(4), "enabled", "disabled", kind(5)]
    assert all(one["eid"] == eid(1) for one in notifications)


async def test_a_second_device_is_refused_and_the_shop_is_notified(sb: RunningSandbox, shop: "Shop") -> None:
    code = await made(sb)
    assert (await sb.scan(code, eid(1)))["installState"] == "enabled"
    await sb.operator_catalogue(progress_url=f"{shop.url}/progress")
    seen = await sb.scan(code, eid(2))
    assert (seen["ok"], seen["subjectCode"], seen["reasonCode"]) == (False, "8.1.1", "3.10")
    assert seen["installState"] == "enabled"
    notification = await shop.webhook()
    assert (notification["notificationPointId"], notification["eid"]) == (1, eid(2))
    assert notification["notificationPointStatus"]["statusCodeData"]["reasonCode"] == "3.10"
    again = await sb.scan(code, eid(1))
    assert (again["ok"], again["subjectCode"]) == (False, "8.2.1")


async def test_the_code_of_a_cancelled_profile_does_not_work(sb: RunningSandbox) -> None:
    code = await made(sb)
    await cancel(sb)
    seen = await sb.scan(code, eid(1))
    assert (seen["ok"], seen["subjectCode"], seen["reasonCode"]) == (False, "8.2.6", "3.8")
    assert not (await sb.scan("LPA:1$elsewhere.example$CODE-1", eid(1)))["ok"]
    assert not (await sb.scan("nonsense", eid(1)))["ok"]


def genuine(body: bytes, headers: Mapping[str, str]) -> bool:
    return headers.get("x-signature") == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()


async def test_usage_is_pushed_and_signed(sb: RunningSandbox, shop: "Shop") -> None:
    await made(sb)
    await sb.operator_catalogue(push_url=f"{shop.url}/usage", push_secret="s3cret")
    assert (await sb.use_data(ICCID, 5000))["pushed"] == 200
    body = await shop.body()
    assert genuine(body, shop.headers[0])
    pushed = json.loads(body)
    assert set(pushed) == {
        "id", "timestamp", "iccid", "usedBytes", "usedBytesAt", "firstUseAt", "installState", "installStateAt",
    }  # fmt: skip
    assert (pushed["iccid"], pushed["usedBytes"]) == (ICCID, 5000)


async def test_pushes_can_be_forged_replayed_and_repeated(sb: RunningSandbox, shop: "Shop") -> None:
    await made(sb)
    await sb.operator_catalogue(push_url=f"{shop.url}/usage", push_secret="s3cret")
    assert await sb.push_usage(ICCID, times=2) == [200, 200]
    first, second = await shop.body(), await shop.body()
    assert first == second
    assert await sb.push_usage(ICCID, replay=True) == [200]
    assert await shop.body() == first
    await sb.push_usage(ICCID, signature="wrong", fields={"usedBytes": 1})
    forged = await shop.body()
    assert json.loads(forged)["usedBytes"] == 1
    assert not genuine(forged, shop.headers[-1])
    await sb.push_usage(ICCID, signature="missing")
    await shop.body()
    assert "x-signature" not in shop.headers[-1]
    assert (await sb.client.post("/control/operator/push", json={"iccid": "1"})).status_code == 404
