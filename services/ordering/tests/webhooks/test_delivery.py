"""Webhooks from an order to a shop's server over sockets: signed, once or again, and never in the way of others."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from standardwebhooks import WebhookVerificationError

from ordering.updates.models import RETRIED_FOR
from ordering.webhooks.rules import DISABLED_AFTER
from shared.contracts import WebhookEndpointDisabled
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.webhooks.conftest import Arrived, Behaviour, Hearing, StartServer


async def test_a_receiver_verifies_every_webhook_with_the_library(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server, description="main")
    assert created["secret"].startswith("whsec_")
    placed = (await hearing.shop.place(key="basket-1")).json()
    await stage.publish(paid(order_id=UUID(placed["order_id"])))
    await stage.eventually(server.has(2))
    bodies = [request.verify(created["secret"]) for request in server.arrived]
    assert [body["type"] for body in bodies] == ["order.accepted", "order.paid"]
    assert {body["data"]["submission_id"] for body in bodies} == {"basket-1"}
    with pytest.raises(WebhookVerificationError):
        server.arrived[0].verify("whsec_" + "A" * 43 + "=")
    stored = {str(row.update_id): row for row in await hearing.shop.rows("SELECT * FROM updates")}
    assert {request.id: request.json for request in server.arrived} == {key: row.body for key, row in stored.items()}

    async def both_delivered() -> list[JsonObject]:
        rows = await hearing.log(created, "?state=delivered")
        return rows if len(rows) == 2 else []

    newest = (await stage.eventually(both_delivered))[0]
    assert (newest["type"], newest["last_status"], newest["attempts"]) == ("order.paid", 204, 1)
    assert newest["last_latency_ms"] >= 0


async def test_a_secret_is_shown_once_sealed_at_rest_and_rotated_without_a_gap(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server)
    path = f"/webhook-endpoints/{created['endpoint_id']}"
    rotated = (await hearing.call("POST", f"{path}/secrets", {"older_secrets_valid_hours": 24})).json()
    secrets = (created["secret"], rotated["secret"])
    shown = str([(await hearing.call("GET", "/webhook-endpoints")).text, await hearing.endpoint(created)])
    stored = str(await hearing.shop.rows("SELECT * FROM webhook_secrets"))
    for secret in secrets:
        assert secret not in shown
        assert secret not in stored
    await hearing.shop.place()
    await stage.eventually(server.has(1))
    for secret in secrets:
        assert server.arrived[0].verify(secret)["type"] == "order.accepted"
    for _ in range(3):
        await hearing.call("POST", f"{path}/secrets", {})
    too_many = await hearing.call("POST", f"{path}/secrets", {})
    assert (too_many.status_code, too_many.json()["type"]) == (409, "urn:problem:too-many-webhook-secrets")
    await hearing.call("POST", f"{path}/secrets", {"older_secrets_valid_hours": 0})
    await hearing.shop.place()
    await stage.eventually(server.has(2))
    for secret in secrets:
        with pytest.raises(WebhookVerificationError):
            server.arrived[1].verify(secret)


async def test_an_endpoint_hears_its_types_and_its_shop_only(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    all_types, some, other_shop = await shop_server(), await shop_server(), await shop_server()
    await hearing.connect(all_types)
    created = await hearing.connect(some, types=["order.paid"])
    await hearing.call("POST", "/webhook-endpoints", {"url": other_shop.url}, storefront="e-sim-onl")
    first = (await hearing.shop.place()).json()
    await stage.publish(paid(order_id=UUID(first["order_id"])))
    await stage.eventually(some.has(1))
    await stage.eventually(all_types.has(2))
    assert (some.types(), other_shop.arrived) == (["order.paid"], [])
    foreign = f"/webhook-endpoints/{created['endpoint_id']}"
    calls = [
        ("GET", foreign, None),
        ("PATCH", foreign, {"enabled": False}),
        ("DELETE", foreign, None),
        ("POST", f"{foreign}/secrets", {}),
        ("POST", f"{foreign}/test", {}),
        ("GET", f"{foreign}/deliveries", None),
        ("POST", "/webhook-redeliveries", {"endpoint_id": created["endpoint_id"]}),
    ]
    for method, path, body in calls:
        response = await hearing.call(method, path, body, storefront="e-sim-onl")
        assert (response.status_code, response.json()["type"]) == (404, "urn:problem:unknown-endpoint"), path


async def test_a_failed_delivery_is_tried_again_under_the_same_id(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes]
) -> None:
    async def fail_once(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(answering(500, b"out of order") if len(server.arrived) == 1 else answering(200))

    server = await shop_server(fail_once)
    created = await hearing.connect(server)
    await hearing.shop.place()

    async def failed() -> list[JsonObject]:
        return [row for row in await hearing.log(created) if row["attempts"] == 1]

    [row] = await stage.eventually(failed)
    assert (row["state"], row["last_status"], row["last_answer"]) == ("waiting", 500, "out of order")
    assert (await hearing.endpoint(created))["failures"] == 1
    hearing.watch.ahead = timedelta(minutes=1)
    await stage.eventually(server.has(2))
    first, second = server.arrived
    assert (first.id, first.body) == (second.id, second.body)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]

    async def healthy() -> bool:
        return bool((await hearing.endpoint(created))["failures"] == 0)

    await stage.eventually(healthy)
    assert [row["state"] for row in await hearing.log(created)] == ["delivered"]


async def test_410_disables_an_endpoint_and_the_shop_can_enable_it_and_hear_what_it_missed(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer", responding: "Callable[..., Behaviour]"
) -> None:
    server = await shop_server(responding(410))
    created = await hearing.connect(server, description="old server")
    await hearing.shop.place()
    [event] = await stage.events(WebhookEndpointDisabled)
    assert (event.event.reason, event.event.description, event.event.stopped) == ("gone", "old server", 1)
    shown = await hearing.endpoint(created)
    assert (shown["enabled"], shown["disabled_reason"]) == (False, "gone")
    await hearing.shop.place()
    redelivery = {"endpoint_id": created["endpoint_id"]}
    refused = await hearing.call("POST", "/webhook-redeliveries", redelivery)
    assert refused.json()["type"] == "urn:problem:endpoint-disabled"
    assert len(server.arrived) == 1
    working = await shop_server()
    path = f"/webhook-endpoints/{created['endpoint_id']}"
    changed = (await hearing.call("PATCH", path, {"url": working.url, "enabled": True})).json()
    assert (changed["enabled"], changed["failures"], changed["url"]) == (True, 0, working.url)
    answer = await hearing.call("POST", "/webhook-redeliveries", redelivery)
    assert (answer.status_code, answer.json()) == (202, {"deliveries": 2, "continue_after": None})
    await stage.eventually(working.has(2))
    assert working.arrived[0].id == server.arrived[0].id
    assert working.arrived[0].verify(created["secret"])


async def test_an_endpoint_that_fails_for_three_days_is_disabled_and_its_shop_informed(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer", responding: "Callable[..., Behaviour]"
) -> None:
    server = await shop_server(responding(500))
    created = await hearing.connect(server)
    await hearing.shop.place()

    async def attempts() -> int:
        [row] = await hearing.log(created)
        return int(row["attempts"])

    for number, hours in enumerate((0, 12, 24, 36, 48, 60), start=1):
        hearing.watch.ahead = timedelta(hours=hours)

        async def recorded(number: int = number) -> bool:
            return await attempts() >= number

        await stage.eventually(recorded)
    assert (await hearing.endpoint(created))["enabled"]
    hearing.watch.ahead = RETRIED_FOR
    [event] = await stage.events(WebhookEndpointDisabled)
    assert (event.event.storefront, event.event.reason) == ("esimka", "failing")
    assert event.event.failing_since is not None
    assert event.event.disabled_at - event.event.failing_since >= DISABLED_AFTER
    assert (await hearing.endpoint(created))["disabled_reason"] == "failing"
    [row] = await hearing.log(created)
    assert row["state"] in {"failed", "stopped"}
    metrics = (await hearing.shop.http.get("/metrics")).text
    assert 'webhook_endpoints_disabled_total{reason="failing"} 1.0' in metrics


async def test_attempts_about_one_order_are_made_one_after_the_other_and_of_many_orders_at_once(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes]
) -> None:
    open_now = most = 0
    several = asyncio.Event()

    async def slow(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        if open_now > 1:
            several.set()
        # Another order's webhook arrives meanwhile, unless this is the last one.
        await asyncio.wait([asyncio.ensure_future(several.wait())], timeout=0.5)
        open_now -= 1
        writer.write(answering(204))

    server = await shop_server(slow)
    await hearing.connect(server)
    orders = [UUID((await hearing.shop.place()).json()["order_id"]) for _ in range(3)]
    await stage.publish(*(paid(order_id=order_id) for order_id in orders))
    await stage.eventually(server.has(6))
    assert set(server.most_open.values()) == {1}
    assert most > 1
    for order_id in orders:
        own = [request for request in server.arrived if request.json["data"]["order_id"] == str(order_id)]
        assert [request.json["type"] for request in own] == ["order.accepted", "order.paid"]


async def test_ten_thousand_waiting_deliveries_of_a_server_that_hangs_hold_up_no_other(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    async def hang(_request: "Arrived", _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    hanging, healthy = await shop_server(hang), await shop_server()
    await hearing.backlog(await hearing.connect(hanging, types=["buyer.erased"]), 10_000)
    await stage.eventually(hanging.has(1))
    await hearing.connect(healthy)
    began = time.monotonic()
    for number in range(1, 6):
        await hearing.shop.place()
        await stage.eventually(healthy.has(number))
    seconds = time.monotonic() - began
    assert len(hanging.arrived) < 100, "a server that hangs gets a few attempts at a time"
    waiting = await hearing.shop.rows("SELECT count(*) AS n FROM webhook_deliveries WHERE state = 'waiting'")
    assert waiting[0].n > 9_900
    assert seconds < 30, "the healthy one does not wait for ten seconds at each"


async def test_two_hundred_endpoints_that_hang_hold_up_none_that_works(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    async def hang(_request: "Arrived", _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    hanging, healthy = await shop_server(hang), await shop_server()
    copies = """
    WITH new AS (
      INSERT INTO webhook_endpoints
        (endpoint_id, storefront, url, description, types, created_at, failures, failing_since)
      SELECT gen_random_uuid(), storefront, url, '', types, created_at, 1, now()
      FROM webhook_endpoints, generate_series(1, 200) WHERE endpoint_id = :id RETURNING endpoint_id)
    INSERT INTO webhook_deliveries (endpoint_id, update_id, order_id, state, due_at, give_up_at)
    SELECT new.endpoint_id, d.update_id, d.order_id, 'waiting', now(), now() + interval '3 days'
    FROM new, webhook_deliveries d WHERE d.endpoint_id = :id
    """
    created = await hearing.connect(hanging, types=["buyer.erased"])
    await hearing.connect(healthy)
    await hearing.backlog(created, 1)
    async with hearing.shop.service.database.transaction() as tx:
        await tx.execute(copies, id=UUID(created["endpoint_id"]))
    await stage.eventually(hanging.has(64))
    began = time.monotonic()
    await hearing.shop.place()
    await stage.eventually(healthy.has(1))
    # Two hundred attempts of ten seconds, 64 at a time, take half a minute.
    assert time.monotonic() - began < 9
    assert len(hanging.arrived) <= 65


@pytest.mark.parametrize("by", ["time", "redelivery"])
async def test_a_backlog_drains_when_the_server_works_again(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes], by: str
) -> None:
    works = False

    async def respond(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(answering(200 if works else 503))

    server = await shop_server(respond)
    created = await hearing.connect(server)
    await hearing.backlog(created, 200)

    async def paused() -> bool:
        return (await hearing.endpoint(created))["paused_until"] is not None

    await stage.eventually(paused)
    assert len(server.arrived) < 200
    works = True
    if by == "time":
        hearing.watch.ahead = timedelta(minutes=6)
    else:  # who asks for it does not wait for the end of a pause, however long it has become
        async with hearing.shop.service.database.transaction() as tx:
            await tx.execute("UPDATE webhook_endpoints SET paused_until = paused_until + interval '1 day'")
        again = {"endpoint_id": created["endpoint_id"], "undelivered_only": True}
        assert (await hearing.call("POST", "/webhook-redeliveries", again)).status_code == 202

    async def drained() -> bool:
        left = await hearing.shop.rows("SELECT 1 FROM webhook_deliveries WHERE state <> 'delivered' LIMIT 1")
        return left == []

    await stage.eventually(drained)
    assert len({request.id for request in server.arrived}) == 200
