"""The SMS gateway: what it takes, what it refuses, and that an id stands for one message."""

import asyncio
from pathlib import Path

import httpx
import pytest

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox

MESSAGE = {"to": "+77011234567", "from": "eSIMka", "text": "Code 123456", "id": "one"}


async def send(sb: RunningSandbox, key: str = "sandbox-sms-key", **changes: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"}
    return await sb.client.post(sb.sms_url, json={**MESSAGE, **changes}, headers=headers)


async def test_a_repeated_id_is_one_message() -> None:
    async with running_sandbox() as sb:
        answers = [await send(sb), *await asyncio.gather(*(send(sb) for _ in range(3)))]
        assert [answer.status_code for answer in answers] == [202, 200, 200, 200]
        assert answers[-1].json() == {"id": "one", "state": "accepted"}
        assert (await send(sb, text="Code 654321")).json() == {"code": "id-reused"}
        [message] = await sb.texts("+77011234567")
        assert (message["sender"], message["text"], message["repeats"]) == ("eSIMka", "Code 123456", 3)
        assert await sb.texts("+77019999999") == []


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"to": "87011234567"}, 422, "invalid-number"),
        ({"from": "a sender too long"}, 422, "invalid-sender"),
        ({"text": " "}, 422, "invalid-text"),
        ({"id": ""}, 422, "invalid-id"),
        ({"id": 7}, 400, "malformed"),
        ({"key": "wrong"}, 401, "unknown-key"),
    ],
)
async def test_what_is_refused(changes: JsonObject, status: int, code: str) -> None:
    async with running_sandbox() as sb:
        answer = await send(sb, **changes)
        assert (answer.status_code, answer.json()) == (status, {"code": code})
        assert await sb.texts() == []


async def test_faults_strike_by_number() -> None:
    async with running_sandbox() as sb:
        await sb.faults(
            {"target": "sms.send", "effect": "refuse", "match": {"to": "+77010000000"}},
            {"target": "sms.send", "effect": "lose_reply", "times": 1, "match": {"id": "lost"}},
            {"target": "sms.send", "effect": "http_error", "times": 1, "match": {"id": "busy"}},
        )
        refused = await send(sb, to="+77010000000", id="two")
        assert (refused.status_code, refused.json()) == (422, {"code": "unreachable-number"})
        with pytest.raises(httpx.HTTPError):
            await send(sb, id="lost")
        assert (await send(sb, id="lost")).status_code == 200
        assert (await send(sb, id="busy")).status_code == 503
        assert {one["id"]: one["repeats"] for one in await sb.texts()} == {"lost": 1}


async def test_the_page_and_the_journal(tmp_path: Path) -> None:
    async with running_sandbox(data_dir=tmp_path) as sb:
        await send(sb, text="<b>Code</b> 123456")
    async with running_sandbox(data_dir=tmp_path) as sb:
        page = (await sb.client.get("/sms")).text
        assert "&lt;b&gt;Code&lt;/b&gt; 123456" in page
        assert "123456" not in (await sb.client.get("/sms?to=%2B7999")).text
        await sb.reset()
        assert "No message yet" in (await sb.client.get("/sms")).text
