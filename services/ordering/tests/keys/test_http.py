"""API keys over HTTP: shown once, checked with their scopes, revoked at once, also in the middle of a request."""

import asyncio
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import ApiKeyChanged
from shared.keys.models import hash_of
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop, StartShop

OPERATIONS = {"Authorization": "Bearer operations-key", "X-On-Behalf-Of": "olga"}
ALL = ["orders:read", "orders:write", "refunds"]


@pytest.fixture
async def keys(shop_of: "StartShop") -> "Shop":
    return await shop_of(build, Settings, operations_keys={"operations": "operations-key"}, sandbox=True)


async def create(shop: "Shop", **changes: object) -> httpx.Response:
    body = {"storefront": "esimka", "name": "site", "scopes": ALL, **changes}
    return await shop.http.post("/api-keys", json=body, headers=OPERATIONS)


async def revoke(shop: "Shop", key_id: str, reason: str = "it was in a screenshot") -> httpx.Response:
    return await shop.http.post(f"/api-keys/{key_id}/revocation", json={"reason": reason}, headers=OPERATIONS)


async def place(shop: "Shop", key: str, body: object) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": str(uuid4())}
    return await shop.http.post("/orders", json=body, headers=headers)


async def read(shop: "Shop", key: str, path: str = "/orders/10000001") -> httpx.Response:
    return await shop.http.get(path, headers={"Authorization": f"Bearer {key}"})


async def test_a_key_is_shown_once_and_only_its_hash_is_stored(keys: "Shop", stage: Stage) -> None:
    answer = await create(keys)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    key, shown = answer.json()["key"], answer.json()["api_key"]
    assert key.startswith("esim_live_")
    assert len(key) == len("esim_live_") + 43
    assert shown["prefix"] == key[:14]
    assert (shown["state"], shown["scopes"], shown["created_by"]) == ("valid", ALL, "operations (olga)")

    listed = (await keys.http.get("/api-keys", headers=OPERATIONS)).text
    stored = await keys.rows("SELECT row_to_json(k)::text AS row FROM api_keys k")
    logged = await keys.rows("SELECT row_to_json(l)::text AS row FROM operations_log l")
    [event] = await stage.events(ApiKeyChanged)
    for text in (listed, stored[0].row, logged[0].row, event.event.model_dump_json()):
        assert shown["key_id"] in text
        assert key[14:] not in text
    assert event.event.hash == hash_of(key).hex()
    assert json.loads(listed)["configured"] == ["e-sim-onl", "esimka", "qazaq-esim"]


async def test_a_key_does_what_its_scopes_name(keys: "Shop", good_order: "OrderBody") -> None:
    writes = (await create(keys, name="checkout", scopes=["orders:write"])).json()["key"]
    reads = (await create(keys, name="report", scopes=["orders:read"])).json()["key"]
    placed = await place(keys, writes, good_order())
    assert placed.status_code == 201
    path = f"/orders/{placed.json()['order_number']}"
    assert (await read(keys, reads, path)).status_code == 200
    cannot_read, cannot_write = await read(keys, writes, path), await place(keys, reads, good_order())
    for refused, scope in ((cannot_read, "orders:read"), (cannot_write, "orders:write")):
        assert (refused.status_code, refused.json()["type"]) == (403, "urn:problem:missing-scope")
        assert refused.headers["content-type"] == "application/problem+json"
        assert scope in refused.json()["detail"]
        assert refused.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
    assert (await read(keys, reads, "/storefront")).status_code == 200


async def test_a_key_is_of_its_shop(keys: "Shop", good_order: "OrderBody") -> None:
    ours = (await create(keys)).json()["key"]
    other = (await create(keys, storefront="e-sim-onl")).json()["key"]
    placed = await place(keys, ours, good_order())
    assert (await read(keys, other, f"/orders/{placed.json()['order_id']}")).status_code == 404


async def test_a_revoked_key_is_refused_from_the_answer_on(keys: "Shop", stage: Stage, good_order: "OrderBody") -> None:
    created = (await create(keys)).json()
    assert (await place(keys, created["key"], good_order())).status_code == 201  # and its state is cached
    revoked = await revoke(keys, created["api_key"]["key_id"])
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    refused = await place(keys, created["key"], good_order())
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:revoked-api-key")
    again = await revoke(keys, created["api_key"]["key_id"], "once more")
    assert again.json() == revoked.json()
    events = await stage.events(ApiKeyChanged, count=2)
    assert [event.event.revoked_at is None for event in events] == [True, False]
    log = (await keys.http.get("/operations/log", headers=OPERATIONS)).json()["items"]
    assert [(line["action"], line["reason"]) for line in log] == [
        ("api-key.revoked", "it was in a screenshot"),
        ("api-key.created", "site of esimka"),
    ]


async def test_a_key_that_is_revoked_while_the_body_arrives_is_refused(
    keys: "Shop", stage: Stage, good_order: "OrderBody"
) -> None:
    created = (await create(keys)).json()
    body = json.dumps(good_order()).encode()
    head = (
        "POST /orders HTTP/1.1\r\nHost: ordering\r\nContent-Type: application/json\r\nIdempotency-Key: slow\r\n"
        f"Authorization: Bearer {created['key']}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", keys.service.port)
    writer.write(head.encode() + body[:20])
    await writer.drain()
    await stage.eventually(lambda: _was_used(keys))
    assert (await revoke(keys, created["api_key"]["key_id"])).status_code == 200
    writer.write(body[20:])
    await writer.drain()
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith("HTTP/1.1 401 ")
    assert "revoked-api-key" in answer
    assert await keys.rows("SELECT 1 FROM orders") == []


async def _was_used(shop: "Shop") -> bool:
    """Whether a key was checked once."""
    await shop.service.app.state.dependencies.shop_keys.record_uses()
    return bool(await shop.rows("SELECT 1 FROM api_keys WHERE last_used_at IS NOT NULL"))


async def test_a_request_that_was_admitted_before_the_revocation_is_carried_out(
    keys: "Shop", stage: Stage, good_order: "OrderBody"
) -> None:
    created = (await create(keys)).json()
    async with keys.service.database.transaction() as tx:
        await tx.execute("LOCK TABLE submissions IN ACCESS EXCLUSIVE MODE")
        placing = asyncio.create_task(place(keys, created["key"], good_order()))
        await stage.eventually(lambda: _waits_for_a_lock(keys))
        assert (await revoke(keys, created["api_key"]["key_id"])).status_code == 200
        assert (await place(keys, created["key"], good_order())).status_code == 401
    assert (await placing).status_code == 201
    assert len(await keys.rows("SELECT 1 FROM orders")) == 1


async def _waits_for_a_lock(shop: "Shop") -> bool:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return bool(await shop.rows(waiting))


async def test_an_expired_key_is_refused(keys: "Shop", good_order: "OrderBody") -> None:
    created = (await create(keys, expires_at="2090-01-01T00:00:00Z")).json()
    assert (await place(keys, created["key"], good_order())).status_code == 201
    async with keys.service.database.transaction() as tx:
        await tx.execute("UPDATE api_keys SET expires_at = :now", now=tx.now)
    keys.service.app.state.dependencies.shop_keys.forget()
    refused = await place(keys, created["key"], good_order())
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:expired-api-key")
    [listed] = (await keys.http.get("/api-keys", headers=OPERATIONS)).json()["items"]
    assert listed["state"] == "expired"


async def test_the_last_use_is_written_once_for_many_requests(keys: "Shop") -> None:
    created = (await create(keys)).json()
    before = (await keys.http.get("/api-keys", headers=OPERATIONS)).json()["items"][0]
    assert before["last_used_at"] is None
    for _ in range(5):
        assert (await read(keys, created["key"], "/storefront")).status_code == 200
    [row] = await keys.rows("SELECT xmin::text AS version FROM api_keys")
    await keys.service.app.state.dependencies.shop_keys.record_uses()
    [written] = await keys.rows("SELECT xmin::text AS version, last_used_at FROM api_keys")
    assert written.last_used_at is not None
    assert written.version != row.version
    await keys.service.app.state.dependencies.shop_keys.record_uses()
    [again] = await keys.rows("SELECT xmin::text AS version FROM api_keys")
    assert again.version == written.version


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"storefront": "no-such-shop"}, 422, "unknown-storefront"),
        ({"scopes": []}, 422, "invalid-request"),
        ({"scopes": ["everything"]}, 422, "invalid-request"),
        ({"name": ""}, 422, "invalid-request"),
        ({"name": "a\u0000b"}, 422, "invalid-request"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, 422, "invalid-request"),
        ({"expires_at": "9999-12-31T00:00:00Z"}, 422, "invalid-request"),
        ({"secret": "mine"}, 422, "invalid-request"),
    ],
)
async def test_a_key_that_cannot_be_is_refused(keys: "Shop", changes: JsonObject, status: int, kind: str) -> None:
    answer = await create(keys, **changes)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{kind}")
    assert await keys.rows("SELECT 1 FROM api_keys") == []


async def test_a_name_is_taken_until_its_key_is_revoked(keys: "Shop") -> None:
    first = (await create(keys)).json()
    taken = await create(keys)
    assert (taken.status_code, taken.json()["type"]) == (409, "urn:problem:key-name-taken")
    assert (await create(keys, storefront="e-sim-onl")).status_code == 201
    await revoke(keys, first["api_key"]["key_id"])
    assert (await create(keys)).status_code == 201


async def test_nobody_else_may_see_or_change_keys(keys: "Shop") -> None:
    created = (await create(keys)).json()
    for key in (created["key"], "key-k", "wrong"):
        headers = {"Authorization": f"Bearer {key}"}
        assert (await keys.http.get("/api-keys", headers=headers)).status_code == 401
        body = {"storefront": "esimka", "name": "own", "scopes": ALL}
        assert (await keys.http.post("/api-keys", json=body, headers=headers)).status_code == 401
        path = f"/api-keys/{created['api_key']['key_id']}/revocation"
        assert (await keys.http.post(path, json={"reason": "because"}, headers=headers)).status_code == 401
    unknown = await revoke(keys, str(uuid4()))
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:problem:unknown-key")


@pytest.mark.parametrize(
    "key", ["", "esim_live_", "esim_live_" + "0" * 43, "esim_test_" + "z" * 43, "esim_live_" + "\u00e9" * 43]
)
async def test_a_key_that_nobody_created_is_unknown(keys: "Shop", key: str) -> None:
    headers = {b"authorization": f"Bearer {key}".rstrip().encode()}
    refused = await keys.http.get("/storefront", headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:unknown-api-key")


async def test_a_key_for_tests_is_accepted_in_a_sandbox_deployment_only(
    keys: "Shop", shop_of: "StartShop", good_order: "OrderBody"
) -> None:
    created = (await create(keys, test=True)).json()
    assert created["key"].startswith("esim_test_")
    assert created["api_key"]["test"] is True
    other = (await create(keys, name="live")).json()
    placed = [await place(keys, key, good_order()) for key in (created["key"], other["key"])]
    # The order says so everywhere, and another one says that it is none.
    for answer, test in zip(placed, (True, False), strict=True):
        assert (answer.status_code, answer.json()["test"]) == (201, test)
        order_id = answer.json()["order_id"]
        bearer = {"Authorization": f"Bearer {created['key']}"}
        assert (await keys.http.get(f"/orders/{order_id}", headers=bearer)).json()["test"] is test
        [row] = (await keys.http.get(f"/orders?q={order_id}", headers=bearer)).json()["orders"]
        assert row["test"] is test
        [update] = await keys.rows("SELECT body FROM updates WHERE order_id = :id", id=order_id)
        assert update.body["data"]["test"] is test

    live = await shop_of(build, Settings, operations_keys={"operations": "operations-key"})
    refused = await create(live, test=True)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:problem:test-key")
    # Even one that stands in the table, or in the setting, is refused: nothing is placed.
    async with live.service.database.transaction() as tx:
        await tx.execute(
            """INSERT INTO api_keys (key_id, storefront, hash, scopes, created_at)
               VALUES (gen_random_uuid(), 'esimka', :hash, CAST(:scopes AS text[]), now())""",
            hash=hash_of(created["key"]),
            scopes=ALL,
        )
    refused = await place(live, created["key"], good_order())
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:problem:test-key")
    assert await live.rows("SELECT 1 FROM orders") == []


async def test_a_key_for_tests_in_the_setting_is_refused_too(shop_of: "StartShop", good_order: "OrderBody") -> None:
    live = await shop_of(build, Settings, storefront_keys={"esimka": "esim_test_from-the-setting"})
    refused = await place(live, "esim_test_from-the-setting", good_order())
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:problem:test-key")
