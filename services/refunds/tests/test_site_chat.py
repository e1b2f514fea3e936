"""The chat of a shop's site: its server hands in what a visitor writes, and fetches what comes later."""

import asyncio
import base64
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx

from refunds.channels.rules.conversation import MESSAGES_PER_HOUR
from refunds.channels.rules.texts import text_of
from refunds.channels.site_chat.store import GUESSES_PER_ORDER
from shared.contracts import BuyerErasureRequested, RevocationRequested
from shared.sealed import Opener, new_private_key
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

EMAIL = "ann@example.org"
PICTURE = b"\x89PNG\r\n\x1a\n a screenshot"
NOTIFICATIONS = Opener(new_private_key()).public_key


class Visitor:
    """A conversation of a shop's site."""

    def __init__(self, running: "Refunds", key: str | None = "esimka-key") -> None:
        self.running, self.key, self.id = running, key, uuid4()

    async def post(self, text: str = "", key: str | None = None, **body: Json) -> httpx.Response:
        body = {"text": text, "language": "en", **body}
        headers = {"Idempotency-Key": key or str(uuid4())}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key}"
        async with self.running.http() as http:
            return await http.post(self.path, json=body, headers=headers)

    @property
    def path(self) -> str:
        return f"/conversations/{self.id}/messages"

    async def says(self, *texts: str, **body: Json) -> str:
        """Write each; the last answer."""
        answer: JsonObject = {}
        for text in texts:
            sent = await self.post(text, **body)
            assert sent.status_code == 201, sent.text
            [answer] = sent.json()["answers"]
        return str(answer["text"])

    async def asks(self, life: "Life", email: str = EMAIL) -> str:
        """A whole request about an order of esimka; returns the last answer."""
        return await self.says("hello", life.order_number, "3", "found wifi", email, "Ann Lee", "20.11.2026")

    async def answers(self, after: int = 0) -> list[Json]:
        answer = await self.running.get(f"{self.path}?after={after}", key=self.key)
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()["answers"]
        return found

    async def later(self, after: int) -> Json:
        """The first answer after this one, once it is there."""

        async def there() -> list[Json]:
            return await self.answers(after)

        return (await self.running.stage.eventually(there))[0]


async def known(running: "Refunds") -> "Life":
    """A delivered order of esimka whose contact has come."""
    order = await running.delivered()
    before = len(await running.rows("SELECT 1 FROM contacts WHERE email_hash IS NOT NULL"))
    await running.stage.publish(order.contact(EMAIL))

    async def there() -> bool:
        return len(await running.rows("SELECT 1 FROM contacts WHERE email_hash IS NOT NULL")) > before

    await running.stage.eventually(there)
    return order


async def test_a_visitor_asks_and_reads_what_is_decided_later(start: "Start") -> None:
    running = await start(notifications_seal_public_key=NOTIFICATIONS)
    order = await known(running)
    visitor = Visitor(running)
    first = await visitor.post("hi", "first", language="ka")
    assert first.status_code == 201
    assert text_of("order_number", "ka") in first.json()["answers"][0]["text"]
    again = await visitor.post("hi", "first", language="ka")
    assert (again.status_code, again.json()) == (200, first.json()), "handled once"
    visitor = Visitor(running)
    await visitor.says("hi")
    [reason] = (await visitor.post(order.order_number, language=None)).json()["answers"]
    assert (reason["number"], reason["language"]) == (2, "en")
    assert ["It does not work", "It never came"] in reason["buttons"]
    registered = await visitor.says("I changed my mind", "found wifi", EMAIL, "Ann Lee", "20.11.2026")
    [case] = await running.rows("SELECT case_id, channel FROM cases")
    assert case["channel"] == "chat"
    assert str(case["case_id"]) in registered
    before = (await visitor.answers())[-1]["number"]
    assert await visitor.answers(before) == []

    await running.stage.publish(order.observed(running.service.clock.now(), case["case_id"]))
    await running.stage.events(RevocationRequested)
    await running.stage.publish(order.revoked(case["case_id"]))
    decided = await visitor.later(before)
    assert (decided["number"], decided["language"]) == (before + 1, "en")
    async with running.service.database.transaction() as tx:
        [row] = (await tx.execute("SELECT * FROM order_facts")).all()
        answers = running.service.app.state.support_answers
        words = "Ann, try another network."
        await answers.answer_case(tx, row, case["case_id"], uuid4(), words, who="agent:anna", trace=None)
    written = await visitor.later(decided["number"])
    assert written["text"] == f"{text_of('support_answered', 'en')}\n\n{words}"
    stored = await running.rows(
        "SELECT a.sealed, c.sealed AS chat, w.payload FROM site_answers a JOIN site_chats c USING (chat_key), work w"
    )
    assert "network" not in str([bytes(row["sealed"]) for row in stored])
    assert "network" not in str(stored)


async def test_what_is_not_proved_opens_nothing(start: "Start") -> None:
    running = await start()
    order = await known(running)
    assert text_of("no_match", "en") in await Visitor(running).asks(order, "mallory@example.org")
    other_shop = Visitor(running, "onl-key")
    assert text_of("no_match", "en") in await other_shop.says("hello", order.order_number, "3", EMAIL)
    assert not await running.rows("SELECT 1 FROM cases")


async def test_an_order_is_guessed_so_often_in_however_many_conversations(start: "Start") -> None:
    """Each conversation begins anew, so wrong pairs are counted for the order number too."""
    running = await start()
    order, other = await known(running), await known(running)
    attempts = range(GUESSES_PER_ORDER + 3)
    guesses = await asyncio.gather(*(Visitor(running).asks(order, f"m{turn}@example.org") for turn in attempts))
    assert sum(text_of("too_often", "en") in guess for guess in guesses) == 3
    assert text_of("too_often", "en") in await Visitor(running).asks(order), "a right one tells nothing either"
    assert not await running.rows("SELECT 1 FROM cases")
    await Visitor(running).asks(other)
    assert len(await running.rows("SELECT 1 FROM cases")) == 1
    keys = await running.rows("SELECT number_key FROM site_guesses")
    assert len(keys) == GUESSES_PER_ORDER
    assert order.order_number.encode() not in bytes(keys[0]["number_key"])


async def test_a_picture_is_evidence_and_anything_else_is_not(start: "Start") -> None:
    running = await start()
    order = await known(running)
    visitor = Visitor(running)
    await visitor.says("hello", order.order_number, "1", "no service", EMAIL, "Ann Lee", "20.11.2026")
    assert text_of("not_evidence", "en") in await visitor.says("", file=sent_file(b"<script>"))
    assert "registered" in await visitor.says("see here", file=sent_file(PICTURE))
    [file] = await running.rows("SELECT kind, size FROM support_mail_files")
    assert (file["kind"], file["size"]) == ("image/png", len(PICTURE))
    assert "added to the request" in await visitor.says("", file=sent_file(PICTURE + b"2"))
    broken = await visitor.post("", file={"content": "***"})
    assert (broken.status_code, broken.json()["errors"][0]["field"]) == (422, "file.content")


def sent_file(content: bytes) -> JsonObject:
    return {"name": "screen.png", "content": base64.b64encode(content).decode()}


async def test_only_the_shops_own_server_is_let_in(start: "Start") -> None:
    running = await start()
    visitor = Visitor(running)
    await visitor.says("hello")
    assert (await Visitor(running, None).post("hello")).status_code == 401
    agent = await Visitor(running, "agent-key").post("hello")
    assert (agent.status_code, agent.json()["type"]) == (403, "urn:problem:for-shops")
    assert (await running.get(visitor.path, key="onl-key")).status_code == 404, "another shop's, of the same id"
    unknown = await running.get(f"/conversations/{UUID(int=1)}/messages", key="esimka-key")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:problem:unknown-conversation")
    assert (await visitor.post("x" * 5000)).status_code == 422


async def test_a_conversation_has_a_limit_within_an_hour(start: "Start") -> None:
    running = await start()
    visitor = Visitor(running)
    for _ in range(MESSAGES_PER_HOUR):
        await visitor.says("/status")
    assert text_of("too_many", "en", most=str(MESSAGES_PER_HOUR)) in await visitor.says("one more")
    answer = await visitor.post("and another")
    assert (answer.status_code, answer.json()["type"]) == (429, "urn:problem:too-many-chat-messages")
    assert answer.headers["retry-after"] == "3600"


async def test_an_erasure_takes_the_conversation(start: "Start") -> None:
    running = await start()
    order = await known(running)
    visitor = Visitor(running)
    await visitor.asks(order)
    [facts] = await running.rows("SELECT buyer_id FROM order_facts")
    wanted = BuyerErasureRequested(
        buyer_id=facts["buyer_id"], storefront="esimka", request_id=uuid4(), requested_at=order.paid_at
    )
    await running.stage.publish(wanted)

    async def gone() -> bool:
        return not await running.rows("SELECT 1 FROM site_chats UNION ALL SELECT 1 FROM site_answers")

    await running.stage.eventually(gone)
    assert (await running.get(visitor.path, key="esimka-key")).status_code == 404
