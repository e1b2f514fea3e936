"""What strangers may append is limited, by counts that concurrent requests cannot pass; nothing accepted is lost."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import httpx
import pytest

from refunds.cases.store import limits
from refunds.channels.rules.conversation import MESSAGES_PER_HOUR

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Refunds, Start

BOT = {"token": "1000:sandbox-esimka", "secret": "hush-hush"}


async def _posts(
    running: "Refunds", path: str, bodies: Sequence[object], key: str = "esimka-key"
) -> list[httpx.Response]:
    """All of them at once."""
    async with httpx.AsyncClient(
        base_url=running.address,
        timeout=60,
        trust_env=False,
        headers={"authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_connections=20),
    ) as client:
        return await asyncio.gather(*(client.post(path, json=body) for body in bodies))


def _limited(running: "Refunds", limit: str) -> float:
    value: float = running.service.metrics.limits.labels(limit)._value.get()
    return value


async def test_one_form_posted_200_times_at_once_keeps_what_it_says_it_keeps(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    path = f"/orders/{life.order_id}/refund-requests"
    bodies = [{"reason": "changed_mind", "circumstances": f"words {number}"} for number in range(200)]
    answers = await _posts(running, path, bodies)
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {201: 1, 200: limits.REQUESTS_PER_DAY - 1, 429: 200 - limits.REQUESTS_PER_DAY}
    accepted = {
        body["circumstances"] for body, answer in zip(bodies, answers, strict=True) if answer.status_code != 429
    }
    assert {row["text"] for row in await running.rows("SELECT text FROM notes")} == accepted, "what is accepted is kept"
    assert len(await running.rows("SELECT 1 FROM audit WHERE what IN ('opened', 'joined')")) == len(accepted)
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["retry-after"] == "86400"
    assert refused.json()["type"] == "urn:problem:too-many-case-requests"
    assert f"{limits.REQUESTS_PER_DAY} requests" in refused.json()["detail"]
    assert _limited(running, "case-requests") == codes[429]
    # The same flood does not take other rights away: another reason is another case, and agents have no limit.
    other = await running.post(path, {"reason": "technical_failure", "circumstances": "no data"}, "esimka-key")
    assert other.status_code == 201
    by_agent = await running.post(path, {"reason": "changed_mind", "circumstances": "told on the phone"})
    assert by_agent.status_code == 200
    assert await running.rows("SELECT 1 FROM notes WHERE text = 'told on the phone'")


async def test_a_case_keeps_so_many_texts_over_the_days(start: "Start", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "REQUESTS_PER_DAY", 1000)
    running = await start()
    life = await running.delivered()
    path = f"/orders/{life.order_id}/refund-requests"
    bodies = [
        {"reason": "changed_mind", "evidence": [f"picture {number} {part}" for part in range(10)]}
        for number in range(15)
    ]
    codes = Counter(answer.status_code for answer in await _posts(running, path, bodies))
    assert codes == {201: 1, 200: 9, 409: 5}
    assert len(await running.rows("SELECT 1 FROM notes")) == limits.NOTES_PER_CASE
    [kept] = await running.rows("SELECT text FROM notes LIMIT 1")
    again = await running.post(path, {"reason": "changed_mind", "evidence": [kept["text"]]}, "esimka-key")
    assert again.status_code == 200, "what is kept already takes no more room"
    full = await running.post(path, {"reason": "changed_mind", "evidence": ["one more"]}, "esimka-key")
    assert full.json()["type"] == "urn:problem:too-many-case-notes"
    assert "Give what is new to an agent" in full.json()["detail"]


async def test_claims_of_an_order_are_counted_one_after_the_other(start: "Start") -> None:
    running = await start()
    life = await running.delivered()
    bodies = [{"order": str(life.order_id), "reference": f"letter-{number}"} for number in range(60)]
    answers = await _posts(running, "/claims", bodies)
    codes = Counter(answer.status_code for answer in answers)
    assert codes == {201: limits.CLAIMS_PER_DAY, 429: 60 - limits.CLAIMS_PER_DAY}
    assert len(await running.rows("SELECT 1 FROM claims")) == limits.CLAIMS_PER_DAY
    kept = next(body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 201)
    assert (await running.post("/claims", kept, "esimka-key")).status_code == 200, "the same letter is no other"
    by_agent = await running.post("/claims", {"order": str(life.order_id), "reference": "phone-1"})
    assert by_agent.status_code == 201
    assert _limited(running, "claims") == codes[429]


async def test_an_appeal_is_heard_whatever_was_sent_before_and_its_repeats_are_limited(start: "Start") -> None:
    running = await start()
    life = await running.delivered("qazaq-esim")
    path, ask = f"/orders/{life.order_id}/refund-requests", {"reason": "lost_code", "email": "ann@example.org"}
    answers = await _posts(running, path, [{**ask, "circumstances": f"words {n}"} for n in range(60)], "qazaq-key")
    assert Counter(answer.status_code for answer in answers)[429] == 60 - limits.REQUESTS_PER_DAY
    [case] = await running.rows("SELECT case_id FROM cases WHERE closed_as = 'denied'")
    bodies = [{"text": f"you are wrong {number}"} for number in range(30)]
    appeals = await _posts(running, f"/cases/{case['case_id']}/appeals", bodies, "qazaq-key")
    codes = Counter(answer.status_code for answer in appeals)
    assert codes == {201: 1, 429: 29}
    assert len(await running.rows("SELECT 1 FROM notes WHERE kind = 'appeal'")) == 1
    assert await running.rows("SELECT 1 FROM cases WHERE appealed_at IS NOT NULL")


async def test_a_chat_that_floods_is_warned_once_and_then_not_stored(start: "Start") -> None:
    running = await start(telegram_bots={"esimka": BOT}, telegram_api_url="http://127.0.0.1:1")
    before, flood = 30, MESSAGES_PER_HOUR + 50
    updates = [
        {"update_id": number, "message": {"chat": {"id": 4711}, "text": "/status"}} for number in range(flood + before)
    ]
    async with httpx.AsyncClient(
        base_url=running.address,
        timeout=60,
        trust_env=False,
        headers={"x-telegram-bot-api-secret-token": BOT["secret"]},
        limits=httpx.Limits(max_connections=20),
    ) as client:

        async def write(update: object) -> int:
            return (await client.post("/telegram/esimka", json=update)).status_code

        first = [await write(update) for update in [*updates[:before], *updates[:before]]]
        assert set(first) == {200}, "Telegram repeats what it sent, and a repeat does not count"
        assert set(await asyncio.gather(*map(write, updates[before:]))) == {200}
        other = {"update_id": 10**6, "message": {"chat": {"id": 4712}, "text": "/start"}}
        assert await write(other) == 200
    # One of each message that was answered, one that tells of the limit, one of the other chat.
    assert len(await running.rows("SELECT 1 FROM telegram_updates")) == MESSAGES_PER_HOUR + 2
    sent = "SELECT 1 FROM work WHERE kind = 'telegram_send' AND payload->>'text' LIKE :text"
    assert len(await running.rows(sent, text=f"I answer {MESSAGES_PER_HOUR} messages%")) == 1
    assert len(await running.rows(sent, text="%")) == MESSAGES_PER_HOUR + 2
