"""The Telegram bot, between the sandbox's Telegram and a running service."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import pytest

from refunds.cases import find_order_of_case
from refunds.channels import ERASE_CHATS
from refunds.channels.rules.texts import text_of
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import RefundApproved, RefundRequested, RevocationRequested
from shared.ids import uuid7
from shared.sealed import Opener, new_private_key
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

NAME, EMAIL = "Annabella Quicksilver", "ann@example.org"
WORDS = "Ann, please try another network."
NOTIFICATIONS = Opener(new_private_key()).public_key
BOT = {"token": "1000:sandbox-esimka", "secret": "hush-hush"}


@dataclass
class Bot:
    """A running service with a bot, and its Telegram."""

    refunds: "Refunds"
    sandbox: RunningSandbox

    async def says(self, chat: int, *messages: str, language: str = "en", **fields: object) -> list[str]:
        """Write, and wait for one answer to each."""
        before = len(await self.sandbox.telegram_chat(chat))
        for number, text in enumerate(messages, 1):
            assert (await self.sandbox.telegram_write(chat, text, language=language, fields=fields))[-1] == 200
            await self.heard(chat, before + number)
        return [one["text"] for one in (await self.sandbox.telegram_chat(chat))[before:]]

    async def heard(self, chat: int, count: int) -> list[str]:
        """What the bot has said, once it has said so much."""

        async def enough() -> bool:
            return len(await self.sandbox.telegram_chat(chat)) >= count

        await self.refunds.stage.eventually(enough)
        return [one["text"] for one in await self.sandbox.telegram_chat(chat)]

    async def asks(self, chat: int, life: "Life", reason: str = "3", email: str = EMAIL, language: str = "en") -> str:
        """A whole request; returns the last answer."""
        answers = ["/start", life.order_number, reason, "found wifi", email, NAME, "20.11.2026"]
        return (await self.says(chat, *answers, language=language))[-1]


@pytest.fixture
async def bot(start: "Start") -> AsyncIterator[Bot]:
    async with running_sandbox() as sandbox:
        settings = {"telegram_bots": {"esimka": BOT}, "telegram_api_url": sandbox.telegram_url}
        refunds = await start(notifications_seal_public_key=NOTIFICATIONS, **settings)
        await sandbox.telegram_webhook(f"{refunds.address}/telegram/esimka", BOT["secret"])
        yield Bot(refunds, sandbox)


async def order(bot: Bot) -> "Life":
    """A delivered order whose buyer's contact is known."""
    life = await bot.refunds.delivered("esimka")
    await bot.refunds.stage.publish(life.contact())
    await bot.refunds.until_rows("SELECT 1 FROM contacts")
    return life


async def test_a_request_from_the_first_word_to_the_answer(bot: Bot) -> None:
    life = await order(bot)
    chat = 4711
    registered = await bot.asks(chat, life, language="ru")
    assert registered.startswith("Обращение зарегистрировано")
    assert "RF 2.1" in registered  # it waits for a look at the profile
    [requested] = await bot.refunds.stage.events(RefundRequested)
    assert (requested.event.channel, requested.event.origin) == ("telegram", "buyer")
    assert requested.event.reason == "changed_mind"
    case_id = requested.event.case_id
    assert str(case_id) in registered
    await bot.refunds.stage.publish(life.observed(bot.refunds.service.clock.now(), case_id))
    await bot.refunds.stage.events(RevocationRequested)
    await bot.refunds.stage.publish(life.revoked(case_id))
    await bot.refunds.stage.events(RefundApproved)
    answer = (await bot.heard(chat, 8))[-1]
    assert "одобрен" in answer
    assert "5990.00 USD" in answer
    assert (await bot.says(chat, "/status"))[0].startswith(f"Обращение {case_id}")
    first = (await bot.sandbox.telegram_chat(chat))[1]
    assert ["Не работает", "Не пришла"] in first["buttons"]
    # Nothing of what was told is left where anybody could read it.
    assert await bot.refunds.rows("SELECT 1 FROM notes WHERE kind = 'circumstances'")
    for table in ("telegram_chats", "telegram_cases", "work", "audit", "decisions", "cases", "outbox"):
        rows = json.dumps(await bot.refunds.rows(f"SELECT * FROM {table}"), default=repr)
        for secret in (NAME, EMAIL, "4711", BOT["token"]):
            assert secret not in rows, table
    traces = bot.refunds.trace_file.read_text() if bot.refunds.trace_file.exists() else ""
    assert NAME not in traces
    assert BOT["token"] not in traces


async def test_what_an_agent_writes_comes_into_the_chats_of_the_case_alone(bot: Bot) -> None:
    """Also while Telegram fails, and once for a form. No table has it in plain but the one of agents' answers."""
    life = await order(bot)
    mine, also_mine, strangers = 31, 32, 33
    await bot.asks(mine, life, language="ru")
    await bot.asks(also_mine, life)
    await bot.says(strangers, "hello")
    [case] = await bot.refunds.rows("SELECT case_id FROM cases")
    counts = [len(await bot.sandbox.telegram_chat(chat)) for chat in (mine, also_mine, strangers)]
    await bot.sandbox.faults(
        {"target": "telegram.send", "effect": "refuse", "code": 1, "times": 1},
        {"target": "telegram.send", "effect": "http_error", "status": 502, "times": 1, "after": 1},
    )
    answer_id = uuid7()
    for _ in range(2):
        async with bot.refunds.service.database.transaction() as tx:
            about = await find_order_of_case(tx, case["case_id"])
            answers = bot.refunds.service.app.state.support_answers
            await answers.answer_case(tx, about, case["case_id"], answer_id, WORDS, who="agent:anna", trace=None)
    in_russian = (await bot.heard(mine, counts[0] + 1))[counts[0] :]
    assert in_russian == [f"{text_of('support_answered', 'ru')}\n\n{WORDS}"]
    in_english = (await bot.heard(also_mine, counts[1] + 1))[counts[1] :]
    assert in_english == [f"{text_of('support_answered', 'en')}\n\n{WORDS}"]
    assert len(await bot.sandbox.telegram_chat(strangers)) == counts[2]
    for table in ("telegram_chats", "telegram_cases", "work", "audit", "outbox"):
        assert WORDS not in json.dumps(await bot.refunds.rows(f"SELECT * FROM {table}"), default=repr), table


async def test_updates_are_heard_once(bot: Bot) -> None:
    life = await order(bot)
    await bot.sandbox.faults(
        {"target": "telegram.webhook", "effect": "duplicate", "count": 3},
        {"target": "telegram.webhook", "effect": "lose_reply"},
    )
    await bot.asks(5, life)
    assert len(await bot.sandbox.telegram_chat(5)) == 7
    assert len(await bot.refunds.rows("SELECT 1 FROM cases")) == 1


async def test_asking_again_joins_the_open_case(bot: Bot) -> None:
    life = await order(bot)
    body = {"reason": "changed_mind", "channel": "account", "email": EMAIL, "full_name": NAME}
    opened = await bot.refunds.post(f"/orders/{life.order_id}/refund-requests", body, key="esimka-key")
    assert opened.json()["state"] == "information_needed"
    answer = await bot.asks(6, life)
    assert answer.startswith("This request is with us already")
    assert opened.json()["case_id"] in answer
    [case] = await bot.refunds.rows("SELECT verdict, channel FROM cases")
    assert case == {"verdict": "await_observation", "channel": "account"}


async def test_a_refusal_can_be_appealed_in_the_chat(bot: Bot) -> None:
    life = await order(bot)
    refused = (await bot.says(8, "/start", life.order_number, "12", "gone", EMAIL, NAME, "20.11.2026"))[-1]
    assert "RF 3.3" in refused
    assert "/appeal" in refused
    assert "send /appeal" in (await bot.says(8, "/appeal"))[0]
    assert "Another agent" in (await bot.says(8, "/appeal I never had it"))[0]
    assert await bot.refunds.state(life) == "appealed"
    assert "no refused request" in (await bot.says(9, "/appeal please"))[0]


async def test_strangers_learn_nothing_and_get_tired(bot: Bot) -> None:
    life = await order(bot)
    unknown = bot.refunds.life("esimka")
    unknown.order_number = "999999999"
    assert "find no paid order" in await bot.asks(10, unknown)
    wrong = [await bot.asks(10, life, email=f"thief{number}@example.org") for number in range(4)]
    assert [("find no paid order" in text) for text in wrong] == [True, True, True, False]
    assert "several times" in wrong[-1]
    assert "several times" in await bot.asks(10, life)  # even with the right one, today
    assert await bot.refunds.rows("SELECT 1 FROM cases") == []


async def test_other_sellers_orders_are_unknown_here(bot: Bot) -> None:
    life = await bot.refunds.delivered("e-sim-onl")
    await bot.refunds.stage.publish(life.contact())
    await bot.refunds.until_rows("SELECT 1 FROM contacts")
    assert "find no paid order" in await bot.asks(11, life)


async def test_a_screenshot_is_evidence_and_a_shared_contact_a_phone(bot: Bot) -> None:
    life = await order(bot)
    await bot.says(12, "/start", life.order_number, "1", "it is dead")
    contact: JsonObject = {"message": {"contact": {"phone_number": "+995555000111", "user_id": 12}}}
    await bot.says(12, "", **contact)
    await bot.says(12, NAME, "20.11.2026")
    photo = {"photo": [{"file_id": "small"}, {"file_id": "large"}]}
    assert "PDF" in (await bot.says(12, "", message=photo))[0], "Telegram does not have this file"
    await bot.sandbox.telegram_file("large", b"PK\x03\x04 an archive")
    assert "PDF" in (await bot.says(12, "", message=photo))[0]
    await bot.sandbox.telegram_file("large", b"\xff\xd8\xff a photo")
    # The address of a file lasts an hour: its end says nothing about the bot or the file.
    await bot.sandbox.faults({"target": "telegram.file", "effect": "http_error", "status": 404, "times": 1})
    assert "support is looking" in (await bot.says(12, "", message=photo))[0]
    [note] = await bot.refunds.rows("SELECT text FROM notes WHERE kind = 'evidence'")
    assert "image/jpeg" in note["text"]
    [kept] = await bot.refunds.rows("SELECT kind, content FROM support_mail_files")
    assert (kept["kind"], b"photo" in bytes(kept["content"])) == ("image/jpeg", False), "sealed; agents open it"


async def test_groups_edits_and_unreadable_updates_are_passed_over(bot: Bot) -> None:
    await bot.sandbox.telegram_write(13, "/start", fields={"message": {"chat": {"type": "group"}}})
    await bot.sandbox.telegram_write(13, "/start", fields={"message": {"chat": None}})
    await bot.sandbox.telegram_write(13, "/start", fields={"message": None, "edited_message": {"text": "/start"}})
    assert len(await bot.says(13, "/start")) == 1
    assert len(await bot.refunds.rows("SELECT 1 FROM telegram_updates")) == 1, "the others are not stored"


async def test_telegram_may_be_slow_busy_or_gone(bot: Bot) -> None:
    await bot.sandbox.faults(
        {"target": "telegram.send", "effect": "refuse", "code": 1, "times": 1},
        {"target": "telegram.send", "effect": "http_error", "status": 502, "times": 1, "after": 1},
    )
    assert len(await bot.says(14, "/start")) == 1
    await bot.sandbox.telegram_block(14)
    await bot.sandbox.telegram_write(14, "/start")
    await bot.refunds.stage.eventually(lambda: _nothing_due(bot))
    await bot.sandbox.telegram_block(14, blocked=False)
    assert len(await bot.says(14, "/status")) == 1


async def _nothing_due(bot: Bot) -> bool:
    return not await bot.refunds.rows("SELECT 1 FROM work WHERE kind = 'telegram_send'")


async def test_only_telegram_is_heard(bot: Bot) -> None:
    url = f"{bot.refunds.address}/telegram"
    update = {"update_id": 1, "message": {"chat": {"id": 1, "type": "private"}, "text": "/start"}}
    headers = {"x-telegram-bot-api-secret-token": BOT["secret"]}
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(f"{url}/esimka", json=update)).status_code == 401
        wrong = {"x-telegram-bot-api-secret-token": "hush"}
        assert (await client.post(f"{url}/esimka", json=update, headers=wrong)).status_code == 401
        assert (await client.post(f"{url}/qazaq-esim", json=update, headers=headers)).status_code == 404
        for broken in ({}, {"update_id": "x"}, {"update_id": -1}):
            assert (await client.post(f"{url}/esimka", json=broken, headers=headers)).status_code == 422
    assert await bot.refunds.rows("SELECT 1 FROM telegram_updates") == []


async def test_a_buyers_chats_go_with_the_buyer(bot: Bot) -> None:
    life = await order(bot)
    await bot.asks(15, life)
    database = bot.refunds.service.database
    [row] = await bot.refunds.rows("SELECT buyer_id FROM telegram_cases")
    async with database.transaction() as tx:
        for statement in ERASE_CHATS:
            await tx.execute(statement, buyers=[row["buyer_id"]])
    assert await bot.refunds.rows("SELECT 1 FROM telegram_chats") == []
    assert await bot.refunds.rows("SELECT 1 FROM telegram_cases") == []
