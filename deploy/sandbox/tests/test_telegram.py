"""Telegram: the Bot API, people who write to bots, and what may go wrong."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

TOKEN = "1000:sandbox-esimka"


class Shop:
    """A webhook that answers what it is told to."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, JsonObject]] = []
        self.answers: list[int] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(fields["content-length"]))
        self.updates.append((fields["x-telegram-bot-api-secret-token"], json.loads(body)))
        status = self.answers.pop(0) if self.answers else 200
        writer.write(f"HTTP/1.1 {status} -\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/telegram/esimka"
    yield shop
    server.close()
    await server.wait_closed()


@pytest.fixture
async def sb(shop: Shop) -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        await sandbox.telegram_webhook(shop.url, "hush")
        yield sandbox


async def call(sb: RunningSandbox, method: str, body: JsonObject, token: str = TOKEN) -> httpx.Response:
    return await sb.client.post(f"/telegram/bot{token}/{method}", json=body)


async def test_a_person_writes_and_the_bot_answers(sb: RunningSandbox, shop: Shop) -> None:
    assert await sb.telegram_write(7, "/start", language="ru") == [200]
    [(secret, update)] = shop.updates
    assert (secret, update["message"]["text"]) == ("hush", "/start")
    assert update["message"]["chat"] == {"id": 7, "type": "private", "first_name": "Sandbox"}
    assert update["message"]["from"]["language_code"] == "ru"
    markup = {"keyboard": [[{"text": "A"}, "B"]]}
    answer = await call(sb, "sendMessage", {"chat_id": 7, "text": "Hello", "reply_markup": markup})
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    [message] = await sb.telegram_chat(7)
    assert (message["text"], message["buttons"]) == ("Hello", [["A", "B"]])


async def test_updates_are_sent_until_they_are_answered(sb: RunningSandbox, shop: Shop) -> None:
    shop.answers = [500, 404]
    assert await sb.telegram_write(7, "hello") == [500, 404, 200]
    assert len({update["update_id"] for _, update in shop.updates}) == 1


@pytest.mark.parametrize(
    ("effect", "more", "arrived"),
    [
        ("duplicate", {"count": 3}, 3),
        ("lose_reply", {}, 2),
        ("drop", {}, 0),
        ("forge", {"fields": {"update_id": 9}}, 2),
    ],
)
async def test_faults_of_the_webhook(
    sb: RunningSandbox, shop: Shop, effect: str, more: JsonObject, arrived: int
) -> None:
    await sb.faults({"target": "telegram.webhook", "effect": effect, "times": 1, **more})
    await sb.telegram_write(7, "hello")
    assert len(shop.updates) == arrived
    if effect == "forge":
        assert [secret for secret, _ in shop.updates] == ["forged", "hush"]


async def test_fields_are_laid_over_the_update(sb: RunningSandbox, shop: Shop) -> None:
    await sb.telegram_write(7, "", fields={"message": {"photo": [{"file_id": "small"}, {"file_id": "large"}]}})
    [(_, update)] = shop.updates
    assert update["message"]["photo"][-1]["file_id"] == "large"
    ledger = await sb.client.get("/control/ledger/telegram")
    assert ledger.json()["messages"][0]["fileId"] == "large"


@pytest.mark.parametrize(
    ("body", "token", "status", "description"),
    [
        ({"chat_id": 8, "text": "Hello"}, TOKEN, 400, "Bad Request: chat not found"),
        ({"chat_id": 7, "text": " "}, TOKEN, 400, "Bad Request: message text is empty"),
        ({"chat_id": 7, "text": "x" * 4097}, TOKEN, 400, "Bad Request: message is too long"),
        ({"text": "Hello"}, TOKEN, 400, "Bad Request: chat_id is empty"),
        ({"chat_id": 7, "text": "Hello", "reply_markup": "{"}, TOKEN, 400, "Bad Request: can't parse reply keyboard"),
        ({"chat_id": 7, "text": "Hello"}, "wrong", 401, "Unauthorized"),
    ],
)
async def test_what_telegram_refuses(
    sb: RunningSandbox, body: JsonObject, token: str, status: int, description: str
) -> None:
    await sb.telegram_write(7, "/start")
    answer = await call(sb, "sendMessage", body, token)
    assert (answer.status_code, answer.json()["error_code"]) == (status, status)
    assert answer.json()["description"].startswith(description)
    assert await sb.telegram_chat(7) == []


async def test_a_person_may_block_the_bot_and_telegram_may_be_busy(sb: RunningSandbox) -> None:
    await sb.telegram_write(7, "/start")
    await sb.telegram_block(7)
    assert (await call(sb, "sendMessage", {"chat_id": 7, "text": "Hello"})).status_code == 403
    await sb.telegram_block(7, blocked=False)
    await sb.faults({"target": "telegram.send", "effect": "refuse", "code": 3, "times": 1, "match": {"chat_id": 7}})
    busy = await call(sb, "sendMessage", {"chat_id": 7, "text": "Hello"})
    assert (busy.status_code, busy.json()["parameters"]) == (429, {"retry_after": 3})
    assert (await call(sb, "sendMessage", {"chat_id": 7, "text": "Hello"})).status_code == 200
    assert (await call(sb, "getUpdates", {})).status_code == 404


async def test_without_a_webhook_nobody_can_write(sb: RunningSandbox) -> None:
    answer = await sb.client.post("/control/telegram/message", json={"bot": "nobody", "chat": 1, "text": "hello"})
    assert answer.status_code == 409


async def test_a_reset_empties_the_chats_and_keeps_the_webhook(sb: RunningSandbox, shop: Shop) -> None:
    await sb.telegram_write(7, "one")
    await sb.reset()
    assert (await sb.client.get("/control/ledger/telegram")).json()["messages"] == []
    await sb.telegram_write(7, "two")
    first, second = (update["update_id"] for _, update in shop.updates)
    assert second > first
