"""The shop registers its webhook endpoint by itself, once, and finds it again after whatever happened."""

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from esim_fulfilment.testing import Reply, ScriptedService, signed_webhook

if TYPE_CHECKING:
    from examples.shop.tests.conftest import Running, Serve


SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROTATED = "whsec_C2FtcGxlLXNlY3JldC1vZi10aGUtb3RoZXItb25l"
PATH = "/webhook-endpoints"


@pytest.fixture
def endpoints(service: ScriptedService, port: int) -> list[dict[str, object]]:
    """The endpoints that the service has; a created one is not among them by itself."""
    found: list[dict[str, object]] = []
    service.paths[f"GET {PATH}"] = Reply(200, found)
    service.paths[f"POST {PATH}"] = Reply(201, {"endpoint_id": "e1", "url": "", "enabled": True, "secret": SECRET})
    service.paths[f"POST {PATH}/e1/secrets"] = Reply(201, {"secret": ROTATED})
    service.paths[f"PATCH {PATH}/e1"] = Reply(200, {"endpoint_id": "e1", "url": "", "enabled": True})
    service.paths["POST /webhook-redeliveries"] = Reply(202, {"deliveries": 3})
    return found


async def takes(shop: "Running", secret: str) -> None:
    """Wait until the shop takes webhooks that are signed with this secret."""
    event = {"type": "order.paid", "timestamp": "2026-11-29T12:00:00Z", "data": {}}
    async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
        while True:
            headers, body = signed_webhook(event, secret)
            if (await client.post(f"{shop.url}/webhooks", headers=headers, content=body)).status_code == 204:
                return
            await asyncio.sleep(0.02)


def asked(service: ScriptedService, call: str) -> list[object]:
    return [one.json for one in service.received if f"{one.method} {one.path}" == call]


async def test_a_new_shop_registers_its_endpoint(
    service: ScriptedService, serve: "Serve", endpoints: list[dict[str, object]]
) -> None:
    assert endpoints == []
    async with serve() as shop:
        await takes(shop, SECRET)
        assert asked(service, f"POST {PATH}") == [{"url": f"{shop.url}/webhooks", "description": "example shop"}]


async def test_a_service_that_starts_later_is_asked_again(
    service: ScriptedService, serve: "Serve", endpoints: list[dict[str, object]]
) -> None:
    service.paths[f"GET {PATH}"] = Reply(500, {})
    async with serve() as shop:
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.post(f"{shop.url}/webhooks", content=b"{}")).status_code == 503
        service.paths[f"GET {PATH}"] = Reply(200, endpoints)
        await takes(shop, SECRET)


def ours(port: int, **more: object) -> dict[str, object]:
    return {"endpoint_id": "e1", "url": f"http://127.0.0.1:{port}/webhooks", "enabled": True, **more}


async def test_an_endpoint_whose_secret_was_lost_gets_a_new_one(
    service: ScriptedService, serve: "Serve", endpoints: list[dict[str, object]], port: int
) -> None:
    endpoints.append(ours(port))
    async with serve() as shop:
        await takes(shop, ROTATED)
    assert asked(service, f"POST {PATH}/e1/secrets") == [{"older_secrets_valid_hours": 0}]
    assert asked(service, f"POST {PATH}") == []


async def test_after_a_restart_the_endpoint_and_its_secret_are_the_same(
    service: ScriptedService, serve: "Serve", endpoints: list[dict[str, object]], port: int
) -> None:
    async with serve() as shop:
        await takes(shop, SECRET)
    endpoints.append(ours(port))
    async with serve() as shop:
        await takes(shop, SECRET)
    assert len(asked(service, f"POST {PATH}")) == 1
    assert asked(service, f"POST {PATH}/e1/secrets") == []


async def test_a_disabled_endpoint_is_enabled_and_what_was_missed_is_asked_for(
    service: ScriptedService, serve: "Serve", endpoints: list[dict[str, object]], port: int
) -> None:
    endpoints.append(ours(port, enabled=False, disabled_reason="failing"))
    async with serve() as shop:
        await takes(shop, ROTATED)
        async with asyncio.timeout(60):
            while not asked(service, "POST /webhook-redeliveries"):  # noqa: ASYNC110 - it is another server
                await asyncio.sleep(0.02)
    assert asked(service, f"PATCH {PATH}/e1") == [{"enabled": True}]
    assert asked(service, "POST /webhook-redeliveries") == [{"endpoint_id": "e1", "undelivered_only": True}]
