"""The reseller (Airalo Partner API v2, docs/wire/airalo.md and docs/wire/complaints.md)."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop


SECRET = "airalo-secret"


async def token(sb: RunningSandbox) -> dict[str, str]:
    body = {"client_id": "airalo-client", "client_secret": SECRET, "grant_type": "client_credentials"}
    answer = await sb.client.post(f"{sb.airalo_url}/token", data=body)
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}


async def order(sb: RunningSandbox, auth: dict[str, str], path: str = "orders", **fields: object) -> httpx.Response:
    body = {"package_id": "kz-7days-1gb", "quantity": "1", "type": "sim", "description": "10000001"} | fields
    return await sb.client.post(f"{sb.airalo_url}/{path}", json=body, headers=auth)


async def listed(
    sb: RunningSandbox, auth: dict[str, str], description: str, limit: int | None = None, include: str = "sims,status"
) -> list[JsonObject]:
    params: dict[str, str | int] = {"filter[description]": description, "include": include}
    if limit is not None:
        params["limit"] = limit
    answer: JsonObject = (await sb.client.get(f"{sb.airalo_url}/orders", params=params, headers=auth)).json()
    return list(answer["data"])


async def sim_of(sb: RunningSandbox, auth: dict[str, str]) -> JsonObject:
    sim: JsonObject = (await order(sb, auth)).json()["data"]["sims"][0]
    return sim


async def test_an_order_brings_an_esim(sb: RunningSandbox) -> None:
    auth = await token(sb)
    data = (await order(sb, auth)).json()["data"]
    [sim] = data["sims"]
    assert (data["type"], data["quantity"], data["description"]) == ("sim", "1", "10000001")
    assert sim["qrcode"] == f"LPA:1${sim['lpa']}${sim['matching_id']}"
    shown = (await sb.client.get(f"{sb.airalo_url}/sims/{sim['iccid']}", headers=auth)).json()["data"]
    assert shown == sim
    ledger = await sb.ledger_airalo()
    assert [one["iccids"] for one in ledger["orders"]] == [[sim["iccid"]]]


async def test_there_is_no_idempotency_and_orders_are_found_by_a_part_of_their_description(sb: RunningSandbox) -> None:
    auth = await token(sb)
    for description in ("10000001", "10000001", "110000001", "other"):
        await order(sb, auth, description=description)
    assert len(await listed(sb, auth, "10000001")) == 3
    newest, *_ = await listed(sb, auth, "10000001", limit=1)
    assert newest["description"] == "110000001"
    assert newest["status"]["slug"] == "completed"
    assert len(newest["sims"]) == 1
    assert "sims" not in (await listed(sb, auth, "other", include=""))[0]


async def test_a_form_is_taken_as_well(sb: RunningSandbox) -> None:
    auth = await token(sb)
    body = {"package_id": "kz", "quantity": "1", "type": "sim"}
    files = {name: (None, value) for name, value in body.items()}
    assert (await sb.client.post(f"{sb.airalo_url}/orders", files=files, headers=auth)).status_code == 200


async def test_tokens(sb: RunningSandbox) -> None:
    wrong = {"client_id": "airalo-client", "client_secret": "x", "grant_type": "client_credentials"}
    assert (await sb.client.post(f"{sb.airalo_url}/token", json=wrong)).status_code == 401
    assert (await order(sb, {})).status_code == 401
    auth = await token(sb)
    await sb.airalo(forget_tokens=True)
    assert (await order(sb, auth)).status_code == 401
    await token(sb)
    assert (await sb.client.post(f"{sb.airalo_url}/token", json=wrong)).status_code == 429


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"maintenance": True}, 13), ({"credit": False}, 11), ({"stock": {"kz-7days-1gb": 0}}, 33)],
)
async def test_refusals(sb: RunningSandbox, changes: JsonObject, code: int) -> None:
    auth = await token(sb)
    await sb.airalo(**changes)
    answer = await order(sb, auth)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await sb.ledger_airalo())["orders"] == []


async def test_packages_and_quantities() -> None:
    async with running_sandbox(airalo_packages=("kz-7days-1gb",)) as sb:
        auth = await token(sb)
        assert (await order(sb, auth, package_id="xx")).json()["code"] == 34
        for quantity in ("0", "51", "x", ""):
            assert (await order(sb, auth, quantity=quantity)).status_code == 422
        await sb.faults({"target": "airalo.orders", "effect": "refuse", "code": 43, "times": 1})
        assert (await order(sb, auth)).json()["code"] == 43
        assert (await order(sb, auth)).status_code == 200


async def test_a_lost_reply_leaves_the_order(sb: RunningSandbox) -> None:
    auth = await token(sb)
    await sb.faults({"target": "airalo.orders", "effect": "lose_reply", "times": 1})
    with pytest.raises(httpx.HTTPError):
        await order(sb, auth)
    assert len(await listed(sb, auth, "10000001")) == 1


@pytest.mark.parametrize("nested", [True, False])
async def test_an_asynchronous_order_is_reported_by_a_signed_webhook(
    sb: RunningSandbox, shop: "Shop", nested: bool
) -> None:
    auth = await token(sb)
    await sb.airalo(nested=nested)
    shop.answers.extend([200, 500])
    accepted = await order(sb, auth, "orders-async", webhook_url=f"{shop.url}/hook")
    assert accepted.status_code == 202
    request_id = accepted.json()["data"]["request_id"]
    assert await shop.body() == b""  # the HEAD probe
    first, again = await shop.body(), await shop.body()
    assert first == again
    assert shop.headers[1]["airalo-signature"] == hmac.new(SECRET.encode(), first, hashlib.sha512).hexdigest()
    notification = json.loads(first)
    assert notification["request_id"] == request_id
    assert (notification["data"] if nested else notification)["description"] == "10000001"
    assert await sb.airalo_webhook(signature="wrong") == [200]
    await shop.body()
    assert shop.headers[-1]["airalo-signature"] == "0" * 128


async def test_a_webhook_address_must_answer_a_probe(sb: RunningSandbox, shop: "Shop") -> None:
    auth = await token(sb)
    shop.answers.append(404)
    assert (await order(sb, auth, "orders-async", webhook_url=f"{shop.url}/hook")).status_code == 422
    assert (await sb.ledger_airalo())["orders"] == []


async def test_an_asynchronous_order_may_fail(sb: RunningSandbox, shop: "Shop") -> None:
    auth = await token(sb)
    await sb.airalo(stock={"kz-7days-1gb": 0})
    await order(sb, auth, "orders-async", webhook_url=f"{shop.url}/hook")
    await shop.body()
    assert (await shop.webhook())["code"] == 33


async def test_usage_is_old_and_may_not_be_asked_too_often(sb: RunningSandbox) -> None:
    auth = await token(sb)
    iccid = (await sim_of(sb, auth))["iccid"]
    path = f"{sb.airalo_url}/sims/{iccid}/usage"
    before = (await sb.client.get(path, headers=auth)).json()["data"]
    assert (before["status"], before["remaining"], before["total"]) == ("NOT_ACTIVE", 5120, 5120)
    await sb.airalo_sim(iccid, used_mb=5120)
    answers = [await sb.client.get(path, headers=auth) for _ in range(10)]
    assert all(answer.json()["data"] == before for answer in answers[:9])
    assert answers[9].status_code == 429


async def test_usage_without_the_cache() -> None:
    async with running_sandbox(airalo_usage_cache_seconds=0) as sb:
        auth = await token(sb)
        iccid = (await sim_of(sb, auth))["iccid"]
        path = f"{sb.airalo_url}/sims/{iccid}/usage"
        await sb.airalo_sim(iccid, used_mb=1024)
        active = (await sb.client.get(path, headers=auth)).json()["data"]
        assert (active["status"], active["remaining"]) == ("ACTIVE", 4096)
        assert active["expired_at"]
        await sb.airalo_sim(iccid, used_mb=5120)
        assert (await sb.client.get(path, headers=auth)).json()["data"]["status"] == "FINISHED"


async def test_top_ups(sb: RunningSandbox) -> None:
    auth = await token(sb)
    iccid = (await sim_of(sb, auth))["iccid"]
    data = (await order(sb, auth, "orders/topups", iccid=iccid, description="10000002")).json()["data"]
    assert data["type"] == "topup"
    assert "sims" not in data
    assert (await sb.ledger_airalo())["sims"][0]["total"] == 10240
    assert (await order(sb, auth, "orders/topups", iccid="1")).status_code == 422
    await sb.airalo_sim(iccid, status="RECYCLED")
    assert (await order(sb, auth, "orders/topups", iccid=iccid)).json()["code"] == 73


async def test_a_refund_is_asked_for_and_somebody_decides(sb: RunningSandbox) -> None:
    auth = await token(sb)
    iccid = (await sim_of(sb, auth))["iccid"]
    await sb.airalo(refunds="manual")
    body = {"iccids": [iccid], "reason": "SERVICE_ISSUES", "notes": "10000001"}
    assert (await sb.client.post(f"{sb.airalo_url}/refund", json=body, headers=auth)).status_code == 202
    assert (await listed(sb, auth, "10000001"))[0]["status"]["slug"] == "completed"
    await sb.airalo(refunds="approve")
    assert (await listed(sb, auth, "10000001"))[0]["status"]["slug"] == "refunded"
    assert (await sb.ledger_airalo())["sims"][0]["status"] == "RECYCLED"
    for wrong in ({}, {"iccids": ["1"], "reason": "OTHER"}, {"iccids": [iccid]}, {"iccids": iccid, "reason": "x"}):
        assert (await sb.client.post(f"{sb.airalo_url}/refund", json=wrong, headers=auth)).status_code == 422


async def test_who_calls_too_much_is_suspended() -> None:
    async with running_sandbox(airalo_suspension_calls=5) as sb:
        auth = await token(sb)
        for _ in range(4):
            assert (await sb.client.get(f"{sb.airalo_url}/orders", headers=auth)).status_code == 200
        assert (await sb.client.get(f"{sb.airalo_url}/orders", headers=auth)).status_code == 403
        await sb.airalo(suspended=False)
        assert (await sb.client.get(f"{sb.airalo_url}/orders", headers=auth)).status_code == 200


async def test_odd_bodies_are_refused(sb: RunningSandbox) -> None:
    auth = await token(sb)
    for path in ("orders", "orders-async", "orders/topups", "refund", "token"):
        for body in (b"", b"{", b"[1]", b"\xff", b'{"quantity": {}, "iccids": {}, "webhook_url": 5}'):
            headers = auth | {"content-type": "application/json"}
            answer = await sb.client.post(f"{sb.airalo_url}/{path}", content=body, headers=headers)
            assert 400 <= answer.status_code < 500
    assert (await sb.ledger_airalo())["orders"] == []


async def test_the_books_are_read_again(tmp_path: Path) -> None:
    async with running_sandbox(data_dir=tmp_path) as sb:
        await order(sb, await token(sb))
        before = await sb.ledger_airalo()
    async with running_sandbox(data_dir=tmp_path) as sb:
        assert await sb.ledger_airalo() == before
        await order(sb, await token(sb))
        assert len({one["id"] for one in (await sb.ledger_airalo())["orders"]}) == 2
