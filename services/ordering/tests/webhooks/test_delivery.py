"""Webhooks from an order to a shop's server over sockets: signed, once or again, and never in the way of others."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from standardwebhooks import WebhookVerificationError

from ordering.app import build
from ordering.settings import Settings
from ordering.updates.models import RETRIED_FOR
from ordering.webhooks.rules import DISABLED_AFTER
from shared.clock import SystemClock
from shared.contracts import WebhookEndpointDisabled
from shared.ids import uuid7
from shared.testing.facts import paid
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop
    from services.ordering.tests.webhooks.conftest import Arrived, Behaviour, ShopServer, StartServer

PRIVATE = ["127.0.0.0/8"]


class Watch:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


class Hearing:
    """A shop that hears, at a service whose clock can be put forward."""

    def __init__(self, shop: "Shop", watch: Watch) -> None:
        self.shop = shop
        self.watch = watch

    async def call(self, method: str, path: str, body: Any = None, *, storefront: str = "esimka") -> httpx.Response:
        return await self.shop.http.request(method, path, json=body, headers=self.shop.auth(storefront))

    async def connect(self, server: "ShopServer", **fields: Any) -> dict[str, Any]:
        """A new endpoint, with its secret."""
        response = await self.call("POST", "/webhook-endpoints", {"url": server.url, **fields})
        assert response.status_code == 201, response.text
        created: dict[str, Any] = response.json()
        return created

    async def endpoint(self, created: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.call("GET", f"/webhook-endpoints/{created['endpoint_id']}")).json()
        return shown

    async def log(self, created: dict[str, Any], query: str = "") -> list[dict[str, Any]]:
        page = (await self.call("GET", f"/webhook-endpoints/{created['endpoint_id']}/deliveries{query}")).json()
        rows: list[dict[str, Any]] = page["deliveries"]
        return rows

    async def backlog(self, created: dict[str, Any], number: int) -> None:
        """So many updates of as many orders that wait for this endpoint."""
        fill = """
        WITH new AS (
          INSERT INTO updates (update_id, storefront, order_id, type, ref, occurred_at, body)
          SELECT gen_random_uuid(), 'esimka', gen_random_uuid(), 'order.paid', '', now(),
            jsonb_build_object('type', 'order.paid', 'data', jsonb_build_object('order_id', n))
          FROM generate_series(1, :number) n RETURNING update_id, order_id)
        INSERT INTO webhook_deliveries (endpoint_id, update_id, order_id, state, due_at, give_up_at)
        SELECT :id, update_id, order_id, 'waiting', now() - interval '1 minute', now() + interval '3 days' FROM new
        """
        async with self.shop.service.database.transaction() as tx:
            await tx.execute(fill, id=UUID(created["endpoint_id"]), number=number)


@pytest.fixture
async def hearing(shop_of: "StartShop") -> Hearing:
    watch = Watch()
    return Hearing(await shop_of(partial(build, clock=watch), Settings, webhook_private_networks=PRIVATE), watch)


def arrived(server: "ShopServer", number: int) -> Callable[[], Any]:
    async def check() -> bool:
        return len(server.arrived) >= number

    return check


async def test_a_receiver_verifies_every_webhook_with_the_library(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server, description="main")
    assert created["secret"].startswith("whsec_")
    placed = (await hearing.shop.place(key="basket-1")).json()
    await stage.publish(paid(order_id=UUID(placed["order_id"])))
    await stage.eventually(arrived(server, 2))
    bodies = [request.verify(created["secret"]) for request in server.arrived]
    assert [body["type"] for body in bodies] == ["order.accepted", "order.paid"]
    assert {body["data"]["submission_id"] for body in bodies} == {"basket-1"}
    with pytest.raises(WebhookVerificationError):
        server.arrived[0].verify("whsec_" + "A" * 43 + "=")
    stored = {str(row.update_id): row for row in await hearing.shop.rows("SELECT * FROM updates")}
    assert {request.id: request.json for request in server.arrived} == {key: row.body for key, row in stored.items()}

    async def both_delivered() -> list[dict[str, Any]]:
        rows = await hearing.log(created, "?state=delivered")
        return rows if len(rows) == 2 else []

    newest = (await stage.eventually(both_delivered))[0]
    assert (newest["type"], newest["last_status"], newest["attempts"]) == ("order.paid", 204, 1)
    assert newest["last_latency_ms"] >= 0


async def test_a_secret_is_shown_once_sealed_at_rest_and_rotated_without_a_gap(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
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
    await stage.eventually(arrived(server, 1))
    for secret in secrets:
        assert server.arrived[0].verify(secret)["type"] == "order.accepted"
    for _ in range(3):
        await hearing.call("POST", f"{path}/secrets", {})
    too_many = await hearing.call("POST", f"{path}/secrets", {})
    assert (too_many.status_code, too_many.json()["type"]) == (409, "urn:problem:too-many-webhook-secrets")
    await hearing.call("POST", f"{path}/secrets", {"older_secrets_valid_hours": 0})
    await hearing.shop.place()
    await stage.eventually(arrived(server, 2))
    for secret in secrets:
        with pytest.raises(WebhookVerificationError):
            server.arrived[1].verify(secret)


async def test_an_endpoint_hears_its_types_and_its_shop_only(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
) -> None:
    all_types, some, other_shop = await shop_server(), await shop_server(), await shop_server()
    await hearing.connect(all_types)
    created = await hearing.connect(some, types=["order.paid"])
    await hearing.call("POST", "/webhook-endpoints", {"url": other_shop.url}, storefront="e-sim-onl")
    first = (await hearing.shop.place()).json()
    await stage.publish(paid(order_id=UUID(first["order_id"])))
    await stage.eventually(arrived(some, 1))
    await stage.eventually(arrived(all_types, 2))
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
    hearing: Hearing, stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes]
) -> None:
    async def fail_once(_request: "Arrived", writer: asyncio.StreamWriter) -> None:
        writer.write(answering(500, b"out of order") if len(server.arrived) == 1 else answering(200))

    server = await shop_server(fail_once)
    created = await hearing.connect(server)
    await hearing.shop.place()

    async def failed() -> list[dict[str, Any]]:
        return [row for row in await hearing.log(created) if row["attempts"] == 1]

    [row] = await stage.eventually(failed)
    assert (row["state"], row["last_status"], row["last_answer"]) == ("waiting", 500, "out of order")
    assert (await hearing.endpoint(created))["failures"] == 1
    hearing.watch.ahead = timedelta(minutes=1)
    await stage.eventually(arrived(server, 2))
    first, second = server.arrived
    assert (first.id, first.body) == (second.id, second.body)
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]

    async def healthy() -> bool:
        return bool((await hearing.endpoint(created))["failures"] == 0)

    await stage.eventually(healthy)
    assert [row["state"] for row in await hearing.log(created)] == ["delivered"]


async def test_410_disables_an_endpoint_and_the_shop_can_enable_it_and_hear_what_it_missed(
    hearing: Hearing, stage: Stage, shop_server: "StartServer", responding: "Callable[..., Behaviour]"
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
    await stage.eventually(arrived(working, 2))
    assert working.arrived[0].id == server.arrived[0].id
    assert working.arrived[0].verify(created["secret"])


async def test_an_endpoint_that_fails_for_three_days_is_disabled_and_its_shop_informed(
    hearing: Hearing, stage: Stage, shop_server: "StartServer", responding: "Callable[..., Behaviour]"
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
    hearing: Hearing, stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes]
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
    await stage.eventually(arrived(server, 6))
    assert set(server.most_open.values()) == {1}
    assert most > 1
    for order_id in orders:
        own = [request for request in server.arrived if request.json["data"]["order_id"] == str(order_id)]
        assert [request.json["type"] for request in own] == ["order.accepted", "order.paid"]


async def test_ten_thousand_waiting_deliveries_of_a_server_that_hangs_hold_up_no_other(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
) -> None:
    async def hang(_request: "Arrived", _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    hanging, healthy = await shop_server(hang), await shop_server()
    await hearing.backlog(await hearing.connect(hanging, types=["buyer.erased"]), 10_000)
    await stage.eventually(arrived(hanging, 1))
    await hearing.connect(healthy)
    began = time.monotonic()
    for number in range(1, 6):
        await hearing.shop.place()
        await stage.eventually(arrived(healthy, number))
    seconds = time.monotonic() - began
    assert len(hanging.arrived) < 100, "a server that hangs gets a few attempts at a time"
    waiting = await hearing.shop.rows("SELECT count(*) AS n FROM webhook_deliveries WHERE state = 'waiting'")
    assert waiting[0].n > 9_900
    assert seconds < 30, "the healthy one does not wait for ten seconds at each"


async def test_two_hundred_endpoints_that_hang_hold_up_none_that_works(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
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
    await stage.eventually(arrived(hanging, 64))
    began = time.monotonic()
    await hearing.shop.place()
    await stage.eventually(arrived(healthy, 1))
    # Two hundred attempts of ten seconds, 64 at a time, take half a minute.
    assert time.monotonic() - began < 9
    assert len(hanging.arrived) <= 65


async def test_a_backlog_drains_when_the_server_works_again(
    hearing: Hearing, stage: Stage, shop_server: "StartServer", answering: Callable[..., bytes]
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
    hearing.watch.ahead = timedelta(minutes=6)

    async def drained() -> bool:
        left = await hearing.shop.rows("SELECT 1 FROM webhook_deliveries WHERE state <> 'delivered' LIMIT 1")
        return left == []

    await stage.eventually(drained)
    assert len({request.id for request in server.arrived}) == 200


async def test_redelivery_by_update_and_by_time(hearing: Hearing, stage: Stage, shop_server: "StartServer") -> None:
    await hearing.shop.place()
    server = await shop_server()
    created = await hearing.connect(server)
    await hearing.shop.place()
    await stage.eventually(arrived(server, 1))
    old, new = await hearing.shop.rows("SELECT update_id FROM updates ORDER BY update_id")
    one = await hearing.call("POST", "/webhook-redeliveries", {"update_id": str(old.update_id)})
    assert one.json()["deliveries"] == 1
    await stage.eventually(arrived(server, 2))
    assert [request.id for request in server.arrived] == [str(new.update_id), str(old.update_id)]

    async def all_delivered() -> bool:
        return [row["state"] for row in await hearing.log(created)] == ["delivered", "delivered"]

    await stage.eventually(all_delivered)
    hour = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    undelivered = await hearing.call("POST", "/webhook-redeliveries", hour | {"undelivered_only": True})
    assert undelivered.json()["deliveries"] == 0
    everything = await hearing.call("POST", "/webhook-redeliveries", hour)
    assert everything.json()["deliveries"] == 2
    await stage.eventually(arrived(server, 4))
    future = {"since": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    assert (await hearing.call("POST", "/webhook-redeliveries", future)).json()["deliveries"] == 0
    nothing = await hearing.call("POST", "/webhook-redeliveries", {})
    assert nothing.status_code == 422
    foreign = {"update_id": str(old.update_id)}
    other = await hearing.call("POST", "/webhook-redeliveries", foreign, storefront="e-sim-onl")
    assert other.json()["deliveries"] == 0


async def test_a_test_sends_the_example_of_a_type_and_answers_what_came_of_it(
    hearing: Hearing, shop_server: "StartServer", responding: "Callable[..., Behaviour]"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server)
    path = f"/webhook-endpoints/{created['endpoint_id']}/test"
    result = (await hearing.call("POST", path, {"type": "refund.settled"})).json()
    assert (result["delivered"], result["status"], result["error"]) == (True, 204, None)
    [request] = server.arrived
    assert request.id.startswith("test_")
    assert request.verify(created["secret"])["type"] == "refund.settled"
    server.respond = responding(404, b"no such page")
    result = (await hearing.call("POST", path, {})).json()
    assert (result["delivered"], result["status"], result["answer"]) == (False, 404, "no such page")
    assert (await hearing.call("POST", path, {"type": "order.eaten"})).status_code == 422
    assert await hearing.log(created) == []


async def test_an_endpoint_is_changed_disabled_and_deleted(
    hearing: Hearing, stage: Stage, shop_server: "StartServer"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server)
    path = f"/webhook-endpoints/{created['endpoint_id']}"
    changed = (await hearing.call("PATCH", path, {"types": ["order.accepted"], "description": "x"})).json()
    assert (changed["types"], changed["description"], changed["url"]) == (["order.accepted"], "x", server.url)
    assert (await hearing.call("PATCH", path, {"types": None})).json()["types"] is None
    disabled = (await hearing.call("PATCH", path, {"enabled": False})).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "shop")
    await hearing.shop.place()
    assert (await hearing.call("PATCH", path, {"enabled": True})).json()["enabled"]
    await hearing.shop.place()
    await stage.eventually(arrived(server, 1))
    assert (await hearing.call("DELETE", path)).status_code == 204
    assert (await hearing.call("GET", path)).status_code == 404
    for table in ("webhook_endpoints", "webhook_secrets", "webhook_deliveries"):
        assert await hearing.shop.rows(f"SELECT 1 FROM {table}") == []
    assert await stage.all_events(WebhookEndpointDisabled) == [], "the shop did it itself"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "https://shop.example/", "secret": "whsec_mine"},
        {"url": "https://shop.example/", "types": []},
        {"url": "https://shop.example/", "types": ["order.eaten"]},
        {"url": "https://shop.example/", "description": "two\nlines"},
        {"url": "http://8.8.8.8/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://169.254.169.254/latest/meta-data"},
        {"url": "https://[::ffff:10.0.0.1]/"},
        {"url": "https://[64:ff9b::a00:1]/"},
        {"url": "https://user:hunter2@8.8.8.8/"},
        {"url": "https://8.8.8.8/#x"},
        {"url": "file:///etc/passwd"},
        {"url": "https://8.8.8.8/" + "x" * 2000},
    ],
)
async def test_bad_endpoints_are_refused_with_the_field_that_is_wrong(hearing: Hearing, body: dict[str, Any]) -> None:
    response = await hearing.call("POST", "/webhook-endpoints", body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert response.json()["errors"]
    assert "hunter2" not in response.text
    assert await hearing.shop.rows("SELECT 1 FROM webhook_endpoints") == []


async def test_a_shop_has_at_most_fifty_endpoints(hearing: Hearing, shop_server: "StartServer") -> None:
    server = await shop_server()
    for _ in range(50):
        await hearing.connect(server)
    refused = await hearing.call("POST", "/webhook-endpoints", {"url": server.url})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:too-many-webhook-endpoints")


async def test_the_log_is_read_page_by_page(hearing: Hearing, shop_server: "StartServer") -> None:
    server = await shop_server()
    created = await hearing.connect(server, types=["buyer.erased"])
    await hearing.backlog(created, 5)
    path = f"/webhook-endpoints/{created['endpoint_id']}/deliveries?limit=2"
    seen: list[str] = []
    before = ""
    while True:
        page = (await hearing.call("GET", path + before)).json()
        seen += [row["update_id"] for row in page["deliveries"]]
        if page["next"] is None:
            break
        before = f"&before={page['next']}"
    assert len(set(seen)) == len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    for wrong in ("&before=x", "&state=lost", "&limit=0"):
        assert (await hearing.call("GET", path + wrong)).status_code == 422
    unknown = await hearing.call("GET", f"/webhook-endpoints/{uuid7()}/deliveries")
    assert unknown.status_code == 404
