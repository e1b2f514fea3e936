"""WhatsApp: the Cloud API, people who write to a business's number, and what may go wrong."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

if TYPE_CHECKING:
    from deploy.sandbox.tests.conftest import Shop

TOKEN, ANN = "sandbox-whatsapp-token", "77011234567"
TEXT = {"messaging_product": "whatsapp", "to": ANN, "type": "text", "text": {"body": "Hello"}}
NEWS = {"name": "request_news", "language": {"code": "ru"}}
TEMPLATE = {"messaging_product": "whatsapp", "to": ANN, "type": "template", "template": NEWS}


@pytest.fixture
async def wa(shop: "Shop") -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(whatsapp_webhook_url=shop.url) as sandbox:
        yield sandbox


async def send(wa: RunningSandbox, body: JsonObject, token: str = TOKEN) -> httpx.Response:
    headers = {"authorization": f"Bearer {token}"}
    return await wa.client.post("/whatsapp/v23.0/100200300/messages", json=body, headers=headers)


async def value(shop: "Shop") -> JsonObject:
    """What the next webhook holds; its signature is right."""
    raw = await shop.body()
    signed = hmac.new(b"sandbox-whatsapp-secret", raw, hashlib.sha256).hexdigest()
    assert shop.headers[-1]["x-hub-signature-256"] == f"sha256={signed}"
    held: JsonObject = json.loads(raw)["entry"][0]["changes"][0]["value"]
    return held


async def test_a_person_writes_and_the_business_answers(wa: RunningSandbox, shop: "Shop") -> None:
    assert await wa.whatsapp_write(ANN, "Hello") == [200]
    assert shop.paths == ["/qazaq-esim"]
    [message] = (await value(shop))["messages"]
    assert (message["from"], message["text"]) == (ANN, {"body": "Hello"})
    answer = await send(wa, TEXT)
    assert answer.status_code == 200
    [sent] = answer.json()["messages"]
    reported = [(await value(shop))["statuses"][0] for _ in range(2)]
    assert [(one["id"], one["status"]) for one in reported] == [(sent["id"], "sent"), (sent["id"], "delivered")]
    [kept] = await wa.whatsapp_chat(ANN)
    assert (kept["text"], kept["statuses"]) == ("Hello", ["sent", "delivered"])


async def test_outside_the_window_only_a_template_is_delivered(wa: RunningSandbox, shop: "Shop") -> None:
    assert (await send(wa, TEXT)).status_code == 200
    [failed] = (await value(shop))["statuses"]
    assert (failed["status"], failed["errors"][0]["code"]) == ("failed", 131047)
    assert (await send(wa, TEMPLATE)).status_code == 200
    assert (await value(shop))["statuses"][0]["status"] == "sent"


async def test_a_file_is_where_it_is_said_to_be(wa: RunningSandbox, shop: "Shop") -> None:
    await wa.whatsapp_write(ANN, "Look", file=b"\xff\xd8\xff")
    [message] = (await value(shop))["messages"]
    headers = {"authorization": f"Bearer {TOKEN}"}
    path = f"/whatsapp/v23.0/{message['image']['id']}"
    described = (await wa.client.get(path, headers=headers)).json()
    assert described["file_size"] == 3
    assert (await wa.client.get(described["url"], headers=headers)).content == b"\xff\xd8\xff"
    assert (await wa.client.get(described["url"])).status_code == 401
    assert (await wa.client.get(f"{path}0", headers=headers)).status_code == 400


@pytest.mark.parametrize(
    ("body", "token", "status", "code"),
    [
        (TEXT, "wrong", 401, 190),
        ({**TEXT, "to": "+7"}, TOKEN, 400, 100),
        ({**TEXT, "text": {"body": "x" * 4097}}, TOKEN, 400, 100),
        ({**TEXT, "type": "poem"}, TOKEN, 400, 131051),
        ({**TEMPLATE, "template": {**NEWS, "language": {"code": "en"}}}, TOKEN, 404, 132001),
    ],
)
async def test_what_whatsapp_refuses(wa: RunningSandbox, body: JsonObject, token: str, status: int, code: int) -> None:
    answer = await send(wa, body, token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await wa.whatsapp_chat(ANN) == []


async def test_whatsapp_may_be_busy_and_webhooks_come_twice_or_forged(wa: RunningSandbox, shop: "Shop") -> None:
    await wa.faults(
        {"target": "whatsapp.send", "effect": "refuse", "times": 1},
        {"target": "whatsapp.webhook", "effect": "duplicate", "count": 2, "times": 1},
    )
    busy = await send(wa, TEXT)
    assert (busy.status_code, busy.json()["error"]["code"]) == (429, 130429)
    assert await wa.whatsapp_write(ANN, "one") == [200, 200]
    await wa.faults({"target": "whatsapp.webhook", "effect": "forge", "times": 1})
    assert await wa.whatsapp_write(ANN, "two") == [200]
    assert len({headers["x-hub-signature-256"] for headers in shop.headers}) == 3, "one, forged, two"
