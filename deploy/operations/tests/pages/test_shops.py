"""What operations people do for shops: API keys and webhooks, at ordering itself and with a receiver that listens."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from esim_fulfilment import Addresses, AsyncClient, AuthenticationError, Buyer, NewOrder
from operations.clients import ordering as ordering_client
from shared.kernel.http import HttpServer
from shared.kernel.service import Service
from shared.testing.browser import Page, browser

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Console, Look, Open


OPENAPI = Path(__file__).parents[4] / "services/ordering/interfaces/openapi.json"
#: The names of ordering's schemas where they differ from the page's.
NAMES = {
    "ApiKey": "ApiKeyView",
    "ApiKeys": "ApiKeysView",
    "CreatedKey": "CreatedKeyView",
    "Endpoint": "OperatedEndpointView",
    "Endpoints": "OperatedEndpointsView",
    "Delivery": "ordering__webhooks__views__DeliveryView",
    "Deliveries": "DeliveryPage",
    "Redelivered": "OperatedRedeliveryAnswer",
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_of_an_answer_is_always_in_it(name: str) -> None:
    model: type[BaseModel] = getattr(ordering_client, name)
    schema = json.loads(OPENAPI.read_text())["components"]["schemas"][NAMES[name]]
    assert set(model.model_fields) <= set(schema["required"])


def shop(ordering: Service, key: str) -> AsyncClient:
    """The shop's own server, as it calls ordering with a key."""
    url = f"http://127.0.0.1:{ordering.port}"
    return AsyncClient(key, Addresses.behind(url))


async def create_key(page: Page, console: "Console", look: "Look") -> str:
    """Through the pages; the key, which is shown once."""
    await page.goto(console.url("/api-keys?storefront=esimka"))
    await page.fill("#name", "checkout")
    await page.fill("#days", "30")
    await look(page, "api-keys-empty")
    await page.click("text=Create…")
    await page.wait("text=This would create a key of esimka, named “checkout”.")
    assert "orders:write, orders:read" in await page.text()
    await look(page, "api-key-preview")
    await page.fill("#words", "the new checkout: ticket 12")
    await page.click("text=Create the key")
    key = (await page.text("#key")).strip()
    await look(page, "api-key-created")
    return key


async def test_a_key_is_created_shown_once_and_revoked(ordering: Service, console: "Open", look: "Look") -> None:
    running = await console(services={"ordering": f"http://127.0.0.1:{ordering.port}"})
    async with browser() as page:
        await running.sign_in(page)
        key = await create_key(page, running, look)
        async with shop(ordering, key) as client:
            assert (await client.storefront()).slug == "esimka"
        await page.goto(running.url("/api-keys"))
        listed = await page.text("tbody")
        assert (key[:14] in listed, key in await page.html()) == (True, False)
        await look(page, "api-keys")
        await page.click("text=checkout")
        await look(page, "api-key")
        assert "orders:read, orders:write" in await page.text()
        await page.fill("#words", "it was in a screenshot")
        await page.click("text=Revoke the key")
        await page.wait("text=key revoked")
        async with shop(ordering, key) as client:
            with pytest.raises(AuthenticationError):
                await client.storefront()
        await page.goto(running.url("/api-keys"))
        assert "No valid key here." in await page.text()
        await page.click("text=1 revoked or expired")
        assert "revoked" in await page.text("tbody")
        assert page.errors == []
    entries = await running.rows("SELECT what, reason, outcome FROM audit WHERE what LIKE '%api_key' ORDER BY entry_id")
    assert [(entry["what"], entry["reason"]) for entry in entries] == [
        ("create_api_key", "the new checkout: ticket 12"),
        ("revoke_api_key", "it was in a screenshot"),
    ]
    assert key[:14] in str(entries)
    assert key not in str(entries)


async def test_a_key_that_ordering_refuses_is_in_the_trail_with_the_reason(ordering: Service, console: "Open") -> None:
    running = await console(services={"ordering": f"http://127.0.0.1:{ordering.port}"})
    async with running.client() as (client, csrf):
        form = {"csrf": csrf, "storefront": "no-such-shop", "name": "x", "scopes": "orders:read", "words": "why not"}
        done = await client.post(running.url("/api-keys/create"), data=form)
        shown = await client.get(f"{running.address}{done.headers['location']}")
        assert "storefront is not in the catalogue" in shown.text
        unknown = await client.get(running.url(f"/api-keys/{uuid4()}"))
        assert unknown.status_code == 404


class Receiver:
    """A shop's server. `status`: what it answers."""

    def __init__(self) -> None:
        self.status = 410
        self.received: list[str] = []
        app = FastAPI()

        @app.post("/hooks")
        async def hooks(request: Request) -> Response:
            self.received.append(request.headers["webhook-id"])
            return Response("gone fishing" if self.status == 410 else "thank you", self.status)

        self.server = HttpServer(app, "127.0.0.1", 0)

    async def heard(self, number: int) -> bool:
        return len(self.received) >= number


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    running = Receiver()
    await running.server.start()
    yield running
    await running.server.stop()


async def place(client: AsyncClient) -> None:
    about = await client.storefront()
    buyer = Buyer(name="Anna Berg", email="anna@example.org", phone="+77011234567")
    documents = {"offer_version": about.documents.offer, "privacy_version": about.documents.privacy}
    await client.place_order(NewOrder(plan="tr-5gb-30d", buyer=buyer, **documents), idempotency_key=str(uuid4()))


@asynccontextmanager
async def shop_that_missed_two(
    console: "Console", ordering: Service, receiver: Receiver
) -> AsyncIterator[tuple[AsyncClient, str]]:
    """A shop whose endpoint answered 410 and was disabled, with an update before and one after; the endpoint's id."""
    headers = {"Authorization": "Bearer the services' operations key"}
    body = {"storefront": "esimka", "name": "shop", "scopes": ["orders:write", "orders:read"]}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ordering.port}", trust_env=False) as http:
        key = (await http.post("/api-keys", json=body, headers=headers)).json()["key"]
    async with shop(ordering, key) as client:
        created = await client.create_webhook_endpoint(f"http://127.0.0.1:{receiver.server.port}/hooks")

        async def disabled() -> bool:
            return not (await client.webhook_endpoints())[0].enabled

        await place(client)
        await console.stage.eventually(disabled)
        await place(client)
        yield client, str(created.endpoint_id)


async def test_an_endpoint_is_enabled_and_what_it_missed_is_sent_again(
    ordering: Service, console: "Open", look: "Look", receiver: Receiver
) -> None:
    running = await console(services={"ordering": f"http://127.0.0.1:{ordering.port}"})
    async with shop_that_missed_two(running, ordering, receiver) as (client, endpoint_id), browser() as page:

        async def delivered() -> bool:
            states = [delivery.state async for delivery in client.webhook_deliveries(endpoint_id)]
            return states == ["delivered", "delivered"]

        await running.sign_in(page)
        await page.goto(running.url("/webhooks"))
        assert "disabled" in await page.text("tbody")
        await look(page, "webhooks")
        await page.click(f"text=:{receiver.server.port}/hooks")
        await page.wait("text=it answered 410")
        logged = await page.text("tbody")
        assert ("order.accepted" in logged, "gone fishing" in logged) == (True, True)
        await look(page, "webhook-disabled")
        receiver.status = 200
        await page.fill("#words", "the shop has mended it")
        await page.click("role=button[name=Enable]")
        await page.wait("text=endpoint enabled")

        await page.goto(running.url(f"/webhooks/{endpoint_id}"))
        await page.click("#again ~ form >> text=Send again…")
        await page.wait("text=This would send 2 webhooks again.")
        await look(page, "webhook-preview")
        assert len(receiver.received) == 1, "a dry run sends nothing"
        await page.fill("#words", "what it missed")
        await page.click("text=Send 2 again")
        await page.wait("text=due now 2")
        await running.stage.eventually(delivered)

        await page.goto(running.url(f"/webhooks/{endpoint_id}"))
        await look(page, "webhook")
        await page.click('button[name="update_id"] >> nth=0')
        await page.wait("text=This would send 1 webhook again.")
        await page.fill("#words", "the shop asked for it")
        await page.click("text=Send 1 again")
        await page.wait("text=due now 1")
        await running.stage.eventually(lambda: receiver.heard(4))
        assert len(set(receiver.received)) == 2, "each keeps its webhook-id"
        assert page.errors == []
    entries = await running.rows("SELECT reason FROM audit WHERE what LIKE '%webhook%' ORDER BY entry_id")
    reasons = ["the shop has mended it", "what it missed", "the shop asked for it"]
    assert [entry["reason"] for entry in entries] == reasons
    async with ordering.database.reading() as tx:
        log = (await tx.execute("SELECT who, action, reason FROM operations_log ORDER BY id")).all()
    actions = ["webhook-endpoint.enabled", "webhooks.redelivered", "webhooks.redelivered"]
    assert [tuple(row) for row in log[1:]] == [
        ("operations (olga)", *line) for line in zip(actions, reasons, strict=True)
    ]


async def test_a_time_range_of_a_whole_shop_is_shown_before_it_is_sent(ordering: Service, console: "Open") -> None:
    running = await console(services={"ordering": f"http://127.0.0.1:{ordering.port}"})
    async with running.client() as (client, csrf):
        form = {"csrf": csrf, "storefront": "esimka", "since": "2026-01-01T00:00", "until": "2026-01-02T00:00"}
        shown = await client.post(running.url("/webhooks/redelivery/preview"), data=form)
        assert "This would send 0 webhooks again." in shown.text
        assert "since 2026-01-01 00:00 UTC, before 2026-01-02 00:00 UTC" in shown.text
        for missing in ({**form, "since": "", "until": ""}, {**form, "since": "yesterday"}, {**form, "storefront": ""}):
            answer = await client.post(running.url("/webhooks/redelivery/preview"), data=missing)
            assert answer.status_code == 422, missing


async def test_the_pages_fit_a_telephone(ordering: Service, console: "Open") -> None:
    running = await console(services={"ordering": f"http://127.0.0.1:{ordering.port}"})
    async with browser(390, 844) as page:
        await running.sign_in(page)
        for path in ("/api-keys", "/webhooks", "/webhooks?storefront=esimka"):
            assert await page.goto(running.url(path)) == 200
            assert not await page.scrolls_sideways(), path
