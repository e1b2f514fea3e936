"""Endpoints of a shop: changed, refused, tested, redelivered to, and their log, over sockets."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.contracts import WebhookEndpointDisabled
from shared.ids import uuid7
from shared.testing.documents import JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.webhooks.conftest import Behaviour, Hearing, StartServer


async def test_redelivery_by_update_and_by_time(hearing: "Hearing", stage: Stage, shop_server: "StartServer") -> None:
    await hearing.shop.place()
    server = await shop_server()
    created = await hearing.connect(server)
    await hearing.shop.place()
    await stage.eventually(server.has(1))
    old, new = await hearing.shop.rows("SELECT update_id FROM updates ORDER BY update_id")
    one = await hearing.call("POST", "/webhook-redeliveries", {"update_id": str(old.update_id)})
    assert one.json()["deliveries"] == 1
    await stage.eventually(server.has(2))
    assert [request.id for request in server.arrived] == [str(new.update_id), str(old.update_id)]

    async def all_delivered() -> bool:
        return [row["state"] for row in await hearing.log(created)] == ["delivered", "delivered"]

    await stage.eventually(all_delivered)
    hour = {"since": (datetime.now(UTC) - timedelta(hours=1)).isoformat()}
    undelivered = await hearing.call("POST", "/webhook-redeliveries", hour | {"undelivered_only": True})
    assert undelivered.json()["deliveries"] == 0
    everything = await hearing.call("POST", "/webhook-redeliveries", hour)
    assert everything.json()["deliveries"] == 2
    await stage.eventually(server.has(4))
    future = {"since": (datetime.now(UTC) + timedelta(hours=1)).isoformat()}
    assert (await hearing.call("POST", "/webhook-redeliveries", future)).json()["deliveries"] == 0
    nothing = await hearing.call("POST", "/webhook-redeliveries", {})
    assert nothing.status_code == 422
    foreign = {"update_id": str(old.update_id)}
    other = await hearing.call("POST", "/webhook-redeliveries", foreign, storefront="e-sim-onl")
    assert other.json()["deliveries"] == 0


async def test_a_test_sends_the_example_of_a_type_and_answers_what_came_of_it(
    hearing: "Hearing", shop_server: "StartServer", responding: "Callable[..., Behaviour]"
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
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
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
    await stage.eventually(server.has(1))
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
async def test_bad_endpoints_are_refused_with_the_field_that_is_wrong(hearing: "Hearing", body: JsonObject) -> None:
    response = await hearing.call("POST", "/webhook-endpoints", body)
    assert (response.status_code, response.headers["content-type"]) == (422, "application/problem+json")
    assert response.json()["errors"]
    assert "hunter2" not in response.text
    assert await hearing.shop.rows("SELECT 1 FROM webhook_endpoints") == []


async def test_a_shop_has_at_most_fifty_endpoints(hearing: "Hearing", shop_server: "StartServer") -> None:
    server = await shop_server()
    for _ in range(50):
        await hearing.connect(server)
    refused = await hearing.call("POST", "/webhook-endpoints", {"url": server.url})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:too-many-webhook-endpoints")


async def test_the_log_is_read_page_by_page(hearing: "Hearing", shop_server: "StartServer") -> None:
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


async def test_operations_people_see_the_endpoints_of_all_shops_and_have_updates_sent_again(
    hearing: "Hearing", stage: Stage, shop_server: "StartServer"
) -> None:
    server = await shop_server()
    created = await hearing.connect(server)
    await hearing.shop.place()
    await stage.eventually(server.has(1))
    path = f"webhook-endpoints/{created['endpoint_id']}"
    [listed] = (await hearing.operate("GET", "webhook-endpoints")).json()["items"]
    assert (listed["storefront"], listed["url"], "secret" in listed) == ("esimka", server.url, False)
    assert (await hearing.operate("GET", "webhook-endpoints?storefront=e-sim-onl")).json()["items"] == []
    [logged] = (await hearing.operate("GET", f"{path}/deliveries?limit=1")).json()["deliveries"]
    assert logged["type"] == "order.accepted"

    again = {"storefront": "esimka", "endpoint_id": created["endpoint_id"], "reason": "the shop asked for it"}
    counted = (await hearing.operate("POST", "webhook-redeliveries", again | {"dry_run": True})).json()
    assert counted == {"deliveries": 1, "more": False, "continue_after": None}
    foreign = again | {"storefront": "e-sim-onl"}
    assert (await hearing.operate("POST", "webhook-redeliveries", foreign)).status_code == 404
    assert (await hearing.operate("POST", "webhook-redeliveries", again)).json() == counted
    await stage.eventually(server.has(2))
    assert len({request.id for request in server.arrived}) == 1

    await hearing.call("PATCH", f"/{path}", {"enabled": False})
    refused = await hearing.operate("POST", "webhook-redeliveries", again | {"dry_run": True})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:endpoint-disabled")
    for _ in range(2):  # safe to repeat
        enabled = (await hearing.operate("POST", f"{path}/enabling", {"reason": "the shop asked for it"})).json()
        assert (enabled["enabled"], enabled["failures"]) == (True, 0)
    log = await hearing.shop.rows("SELECT who, action FROM operations_log ORDER BY id")
    assert [tuple(row) for row in log] == [
        ("operations (olga)", "webhooks.redelivered"),
        ("operations (olga)", "webhook-endpoint.enabled"),
    ]


async def test_a_shop_has_no_access_to_what_operations_people_do(hearing: "Hearing") -> None:
    for path in ("webhook-endpoints", f"webhook-endpoints/{uuid7()}", f"webhook-endpoints/{uuid7()}/deliveries"):
        assert (await hearing.call("GET", f"/operations/{path}")).status_code == 401
    for path in (f"webhook-endpoints/{uuid7()}/enabling", "webhook-redeliveries"):
        body = {"storefront": "esimka", "reason": "because"}
        assert (await hearing.call("POST", f"/operations/{path}", body)).status_code == 401
    unknown = await hearing.operate("POST", f"webhook-endpoints/{uuid7()}/enabling", {"reason": "because"})
    assert unknown.status_code == 404
