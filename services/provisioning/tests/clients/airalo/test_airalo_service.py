"""The service with the sandbox's reseller: orders, webhooks, and what is sent (docs/wire/airalo.md)."""

import asyncio
import hashlib
import hmac
import json
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from local_stack.ports import free_ports
from provisioning.clients.airalo import requests
from sandbox.testing import RunningSandbox
from shared.contracts import ProfileFailed, ProfileGenerated
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Provisioning, Start

CREDENTIALS = {"client_id": "airalo-client", "client_secret": "airalo-secret"}
NUMBER, PACKAGE = "10000001", "tr-30days-5gb"


def entry(sandbox: RunningSandbox, **options: object) -> JsonObject:
    """An entry of OPERATORS."""
    return {
        "name": "airalo",
        "adapter": "airalo",
        "url": sandbox.airalo_url,
        "credentials": CREDENTIALS,
        "timeout_seconds": 5.0,
        "options": {name: str(value) for name, value in options.items()},
    }


async def orders(sandbox: RunningSandbox) -> list[JsonObject]:
    found: list[JsonObject] = (await sandbox.ledger_airalo())["orders"]
    return found


async def test_a_paid_order_is_made_at_the_reseller(start: "Start", sandbox: RunningSandbox) -> None:
    running = await start(operators=[entry(sandbox)])
    await sandbox.faults({"target": "airalo.orders", "effect": "lose_reply", "times": 1})
    await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    [sold] = await orders(sandbox)
    [sim] = (await sandbox.ledger_airalo())["sims"]
    assert sold["iccids"] == [made.event.iccid]
    assert made.event.apn == "singleall"
    code = running.opener.open(made.event.activation_code).decode()
    assert code == f"LPA:1$lpa.airalo.sandbox.example${sim['matchingId']}"


async def test_no_personal_data_is_sent(start: "Start", sandbox: RunningSandbox) -> None:
    """PP 5.2: the requests hold the package and our order number, and no field for a person."""
    running = await start(operators=[entry(sandbox)])
    order = await running.paid()
    await running.stage.events(ProfileGenerated)
    [call] = await sandbox.requests("v2/orders")
    assert json.loads(call["body"]) == {
        "package_id": "TR-STD",
        "quantity": "1",
        "type": "sim",
        "description": order.order_number,
    }
    for sent in await sandbox.requests("/airalo/"):
        assert str(order.buyer_id) not in json.dumps(sent)


async def test_out_of_stock_fails_the_order_where_no_other_operator_sells_the_plan(
    start: "Start", sandbox: RunningSandbox
) -> None:
    running = await start(operators=[entry(sandbox)])
    await sandbox.airalo(stock={"TR-STD": 0})
    await running.paid()
    [failed] = await running.stage.events(ProfileFailed)
    assert [(one.subject_code, one.reason_code) for one in failed.event.statuses] == [("airalo", "33")]


class Hooked:
    """A service whose address is known before it starts."""

    def __init__(self, start: "Start", sandbox: RunningSandbox) -> None:
        self.port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}/operators/airalo/airalo/webhook"
        self._start, self._sandbox = start, sandbox

    async def start(self, **options: object) -> "Provisioning":
        chosen = entry(self._sandbox, mode="async", webhook_url=self.url, **options)
        return await self._start(operators=[chosen], http_port=self.port)


async def test_a_webhook_reports_an_asynchronous_order(start: "Start", sandbox: RunningSandbox) -> None:
    running = await Hooked(start, sandbox).start(poll_seconds=60, wait_seconds=60)
    for nested in (True, False):
        await sandbox.airalo(nested=nested)
        await running.paid(order_number=f"2000000{int(nested)}")
    made = await running.stage.events(ProfileGenerated, count=2)
    sold = {iccid for one in await orders(sandbox) for iccid in one["iccids"]}
    assert {one.event.iccid for one in made} == sold
    assert len(await orders(sandbox)) == 2


NO_WEBHOOK = {"target": "airalo.webhook", "effect": "drop"}
NO_REPLY = {"target": "airalo.orders_async", "effect": "lose_reply", "times": 1}


@pytest.mark.parametrize("fault", [NO_WEBHOOK, NO_REPLY], ids=["no webhook", "no reply"])
async def test_the_list_of_orders_stands_in(start: "Start", sandbox: RunningSandbox, fault: JsonObject) -> None:
    running = await Hooked(start, sandbox).start(poll_seconds=0.1)
    await sandbox.faults(fault)
    await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    [sold] = await orders(sandbox)
    assert sold["iccids"] == [made.event.iccid]


async def test_an_asynchronous_order_that_fails(start: "Start", sandbox: RunningSandbox) -> None:
    running = await Hooked(start, sandbox).start(poll_seconds=60, wait_seconds=60)
    await sandbox.airalo(stock={"TR-STD": 0})
    await running.paid()
    [failed] = await running.stage.events(ProfileFailed)
    assert [one.reason_code for one in failed.event.statuses] == ["33"]


def signed(body: bytes, secret: str) -> dict[str, str]:
    return {"airalo-signature": hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()}


async def test_forged_and_malformed_webhooks_are_refused(start: "Start", sandbox: RunningSandbox) -> None:
    hooked = Hooked(start, sandbox)
    running = await hooked.start()
    body = json.dumps({"request_id": "r1", "code": 33, "reason": "no stock"}).encode()
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.head(hooked.url)).status_code == 200
        assert (await client.head(hooked.url.replace("/operators/airalo/", "/operators/nobody/"))).status_code == 404
        for headers in ({}, signed(body, "wrong"), signed(b"{}", "airalo-secret"), {"airalo-signature": "ü"}):
            encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
            assert (await client.post(hooked.url, content=body, headers=encoded)).status_code == 401
        for odd in (b"", b"[]", b"{", b'{"request_id": {}}', b'{"reason": "x", "code": 33}'):
            assert (await client.post(hooked.url, content=odd, headers=signed(odd, "airalo-secret"))).status_code == 422
        assert await running.rows("SELECT * FROM airalo_notices") == []
        good = signed(body, "airalo-secret")
        assert (await client.post(hooked.url, content=body, headers=good)).json() == {"status": "stored"}
        assert (await client.post(hooked.url, content=body, headers=good)).json() == {"status": "known"}
    [notice] = await running.rows("SELECT * FROM airalo_notices")
    assert (notice["request_id"], notice["code"]) == ("r1", 33)


async def test_a_forged_webhook_changes_nothing(start: "Start", sandbox: RunningSandbox) -> None:
    hooked = Hooked(start, sandbox)
    running = await hooked.start(poll_seconds=60, wait_seconds=60)
    forged = {"code": 33, "reason": "no stock"}
    await sandbox.faults({"target": "airalo.webhook", "effect": "forge", "fields": forged, "times": 1})
    await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    [sold] = await orders(sandbox)
    assert sold["iccids"] == [made.event.iccid]
    assert await running.stage.all_events(ProfileFailed) == []


async def test_webhooks_that_no_order_needs_are_limited(
    start: "Start", sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has the client secret can invent request ids; what is not about an order of ours is not stored."""
    monkeypatch.setattr(requests, "MOST_OF_REFERENCE", 3)
    monkeypatch.setattr(requests, "MOST_UNNAMED", 4)
    hooked = Hooked(start, sandbox)
    running = await hooked.start()
    order = await running.paid()
    await running.stage.events(ProfileGenerated)
    stored = len(await running.rows("SELECT 1 FROM airalo_notices"))
    async with httpx.AsyncClient(trust_env=False) as client:

        async def send(number: int, description: str | None) -> httpx.Response:
            named = {} if description is None else {"description": description}
            body = json.dumps({"request_id": f"invented-{number}", "code": 33, "reason": "no", **named}).encode()
            return await client.post(hooked.url, content=body, headers=signed(body, "airalo-secret"))

        strange = await asyncio.gather(*(send(number, "not-ours") for number in range(9)))
        ours = await asyncio.gather(*(send(10 + number, order.order_number) for number in range(9)))
        unnamed = await asyncio.gather(*(send(20 + number, None) for number in range(9)))
    assert {answer.json()["status"] for answer in strange} == {"not ours"}
    assert Counter(answer.status_code for answer in ours) == {200: 3 - stored, 409: 6 + stored}
    assert Counter(answer.status_code for answer in unnamed) == {200: 4, 429: 5}
    types = {answer.json()["type"] for answer in (*ours, *unnamed) if answer.status_code != 200}
    assert types == {"urn:problem:too-many-webhooks"}
    assert len(await running.rows("SELECT 1 FROM airalo_notices")) == 3 + 4
    registry = running.service.metrics.registry
    assert registry.get_sample_value("limits_reached_total", {"limit": "webhooks"}) == 6 + stored + 5
