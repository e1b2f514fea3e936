"""WhatsApp, between the sandbox's Cloud API and a running service."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import ValidationError

from refunds.cases import find_order_of_case
from refunds.channels import ERASE_CHATS
from refunds.channels.models import SentFile
from refunds.channels.rules.files import message_with_file
from refunds.channels.rules.texts import text_of
from refunds.channels.whatsapp.models import Status, Unreadable, WebhookMessage, WhatsAppMessagePayload, read_webhook
from refunds.channels.whatsapp.rules import message_of, phone_of, spoken
from refunds.channels.whatsapp.tasks import SEND
from refunds.clients import whatsapp
from refunds.clients.whatsapp import GONE, read_answer, read_missing
from refunds.settings import Settings
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import RefundRequested
from shared.ids import uuid7
from shared.outcomes import Done, NeedsPerson, NotSent, Refused
from shared.sealed import Opener, new_private_key
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

NUMBER = {
    "phone_number_id": "100200300",
    "token": "sandbox-whatsapp-token",
    "app_secret": "sandbox-whatsapp-secret",
    "verify_token": "sandbox-whatsapp-verify",
    "template": "request_news",
    "template_languages": ["ru"],
}
SEALED = {"notifications_seal_public_key": Opener(new_private_key()).public_key}
ANSWER = "Анна, попробуйте другую сеть."
#: The number of `Life.contact`, and somebody else's.
ANN, BOB = "995555000111", "77011234567"
PHOTO = b"\xff\xd8\xff\xe0" + b"a photo of a phone without a network"


def webhook(*messages: object, number: str = "100200300", name: str = "messages") -> JsonObject:
    value = {"metadata": {"phone_number_id": number}, name: list(messages)}
    return {"entry": [{"changes": [{"field": "messages", "value": value}]}]}


def test_what_can_be_read_of_a_webhook_is_read() -> None:
    text = {"from": ANN, "id": "wamid.1", "type": "text", "text": {"body": " Hello "}, "more": 1}
    image = {"from": ANN, "id": "wamid.2", "type": "image", "image": {"id": "9", "caption": "Look"}}
    traversal = {"from": ANN, "id": "wamid.3", "type": "image", "image": {"id": "../me"}}
    mine = {"100200300": "qazaq-esim"}
    read = list(read_webhook(webhook(text, image, traversal, {"from": "+1"}, None), mine))
    assert {storefront for storefront, _ in read} == {"qazaq-esim"}
    items = [item for _, item in read]
    assert [type(item) for item in items] == [WebhookMessage, WebhookMessage, Unreadable, Unreadable, Unreadable]
    assert [item.words for item in items[:2] if isinstance(item, WebhookMessage)] == ["Hello", "Look"]
    assert ANN not in repr(items)
    assert list(read_webhook(webhook(text, number="1"), mine)) == [], "another number of the same app"
    failed = {"id": "w", "status": "failed", "recipient_id": ANN, "errors": [{"code": 131047}]}
    [(_, status)] = read_webhook(webhook(failed, name="statuses"), mine)
    assert isinstance(status, Status)
    assert status.errors[0].code == 131047
    odds: tuple[object, ...] = (None, [], {"entry": 1}, {"entry": [1, {"changes": [None, {"value": []}]}]})
    assert [list(read_webhook(odd, mine)) for odd in odds] == [[], [], [], []]


def test_a_message_is_read_for_the_conversation() -> None:
    voice = WebhookMessage.model_validate({"from": ANN, "id": "w", "type": "audio"})
    assert message_of(voice, "ru").refusal == "type"
    assert [spoken(words) for words in ("123456", "/start", "Не работает", "არ მუშაობს", "hi")] == [
        None,
        None,
        "ru",
        "ka",
        "en",
    ]
    assert (phone_of(ANN), phone_of("00000")) == ("+995555000111", None)
    file = SentFile(chat_id=int(ANN), file_id="9")
    kept = message_with_file(file, Done(PHOTO))
    assert kept.file is not None
    assert "image/jpeg" in kept.file
    assert message_with_file(file, Done(b"PK\x03\x04 an archive")).refusal == "type"
    assert message_with_file(file, Refused("size", "")).refusal == "size"
    assert message_with_file(file, Refused("gone", "")).refusal == "type"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"{}", Done),
        (400, b'{"error": {"code": 131047}}', Refused),
        (400, b'{"error": {"code": 131026}}', Refused),
        (429, b"", NotSent),
        (400, b'{"error": {"code": 131056}}', NotSent),
        (401, b'{"error": {"code": 190}}', NeedsPerson),
        (404, b'{"error": {"code": 132001}}', NeedsPerson),
        (500, b"<html>", NotSent),
        (400, b"[" * 100_000, Refused),
        (400, b'{"error": null}', Refused),
    ],
)
def test_an_answer_of_the_api_is_an_outcome(status: int, body: bytes, kind: type) -> None:
    assert isinstance(read_answer(httpx.Response(status, content=body)), kind)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"error": {"code": 100}}', Refused),
        (404, b"", Refused),
        (410, b"<html>", Refused),
        *((400, b'{"error": {"code": %d}}' % code, NotSent) for code in (4, 80007, 130429, 131056)),
        (429, b"", NotSent),
        (400, b'{"error": {"code": 190}}', NeedsPerson),
        (404, b'{"error": {"code": 10}}', NeedsPerson),
        (503, b"", NotSent),
        (206, b"", NotSent),
    ],
)
def test_only_a_file_that_is_gone_is_lost(status: int, body: bytes, kind: type) -> None:
    """A limit of the number's, or a token that ended, says nothing about the buyer's photo."""
    missing = read_missing(httpx.Response(status, content=body))
    assert isinstance(missing, kind)
    assert not isinstance(missing, Refused) or missing.code == GONE


@dataclass
class Phone:
    """A running service with a number, and its WhatsApp."""

    refunds: "Refunds"
    sandbox: RunningSandbox

    @property
    def url(self) -> str:
        return f"{self.refunds.address}/whatsapp/qazaq-esim"

    async def says(
        self, wa_id: str, *messages: str, file: bytes | None = None, announced_size: int | None = None
    ) -> list[str]:
        """Write, and wait for one answer to each."""
        before = len(await self.sandbox.whatsapp_chat(wa_id))
        for number, text in enumerate(messages, 1):
            assert (await self.sandbox.whatsapp_write(wa_id, text, file=file, announced_size=announced_size))[-1] == 200
            await self.heard(wa_id, before + number)
        return [one["text"] for one in (await self.sandbox.whatsapp_chat(wa_id))[before:]]

    async def heard(self, wa_id: str, count: int) -> list[JsonObject]:
        """What we have written, once it is so much."""

        async def enough() -> bool:
            return len(await self.sandbox.whatsapp_chat(wa_id)) >= count

        await self.refunds.stage.eventually(enough)
        return await self.sandbox.whatsapp_chat(wa_id)

    async def order(self) -> "Life":
        """A delivered order whose buyer's contact is known."""
        life = await self.refunds.delivered("qazaq-esim")
        await self.refunds.stage.publish(life.contact())
        await self.refunds.until_rows("SELECT 1 FROM contacts")
        return life

    async def metric(self, line: str) -> None:
        """Wait until /metrics has this line."""

        async def shown() -> bool:
            return line in (await self.refunds.get("/metrics")).text

        await self.refunds.stage.eventually(shown)


@pytest.fixture
async def phone(start: "Start") -> AsyncIterator[Phone]:
    async with running_sandbox() as sandbox:
        refunds = await start(whatsapp_numbers={"qazaq-esim": NUMBER}, whatsapp_api_url=sandbox.whatsapp_url, **SEALED)
        phone = Phone(refunds, sandbox)
        await sandbox.whatsapp_webhook(phone.url)
        yield phone


async def test_a_conversation_with_a_photo_under_faults_and_after_the_window(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whatsapp, "_RETRY", timedelta(seconds=0.2))  # half a minute otherwise
    refunds, sandbox = phone.refunds, phone.sandbox
    life = await phone.order()
    await sandbox.faults(
        {"target": "whatsapp.webhook", "effect": "duplicate", "count": 3, "match": {"has": "messages"}},
        {"target": "whatsapp.send", "effect": "refuse", "times": 1},
        {"target": "whatsapp.send", "effect": "http_error", "status": 502, "times": 1, "after": 2},
    )
    hello, asked, *_ = await phone.says(ANN, "Здравствуйте, верните деньги", life.order_number)
    assert "номер заказа" in hello
    assert "1. Не работает" in asked
    assert await sandbox.whatsapp_write(ANN, file=PHOTO) == [200, 200, 200], "nobody has asked for a photo"
    assert "Не удалось это прочитать" in (await phone.heard(ANN, 3))[-1]["text"]
    registered = (await phone.says(ANN, "1", "Нет сети", "ann@example.org"))[-1]
    assert registered.startswith("Обращение зарегистрировано"), "RP 3 asks for the e-mail, too"
    [requested] = await refunds.stage.events(RefundRequested)
    assert (requested.event.channel, requested.event.reason) == ("whatsapp", "technical_failure")
    [case] = await refunds.rows("SELECT case_id, provided FROM cases")
    assert {"email", "phone"} <= set(case["provided"])

    # A photo for the open case: downloaded, its type read from its content, kept sealed, opened by agents.
    expired = {"target": "whatsapp.media", "effect": "http_error", "status": 404, "match": {"step": "attachments"}}
    await sandbox.faults(
        {"target": "whatsapp.media", "effect": "http_error", "status": 503, "times": 1}, {**expired, "times": 1}
    )
    added = (await phone.says(ANN, "", file=PHOTO))[-1]
    assert str(case["case_id"]) in added
    assert "PDF" in (await phone.says(ANN, "", file=b"PK\x03\x04 an archive"))[-1]
    assert "PDF" in (await phone.says(ANN, "", file=PHOTO, announced_size=11 * 2**20))[-1]
    [kept] = await refunds.rows("SELECT f.kind, m.way FROM support_mail_files f JOIN support_mails m USING (mail_id)")
    assert kept == {"kind": "image/jpeg", "way": "whatsapp"}

    # What an agent writes comes by e-mail and here, and no table has it in plain but the answers of agents.
    before = len(await sandbox.whatsapp_chat(ANN))
    async with refunds.service.database.transaction() as tx:
        order = await find_order_of_case(tx, case["case_id"])
        answers = refunds.service.app.state.support_answers
        await answers.answer_case(tx, order, case["case_id"], uuid7(), ANSWER, who="agent:anna", trace=None)
    [message] = [new.payload for new in tx.new_work if new.kind == SEND]
    assert isinstance(message, WhatsAppMessagePayload)
    assert ANSWER not in message.model_dump_json()
    [answer] = (await phone.heard(ANN, before + 1))[before:]
    assert answer["text"] == f"{text_of('support_answered', 'ru')}\n\n{ANSWER}"

    # After the window only the template is delivered; the decision itself is in the e-mail.
    await sandbox.whatsapp_reaching(window_seconds=0)
    before = len(await sandbox.whatsapp_chat(ANN))
    found = {"finding": "no_failure"}
    assert (await refunds.post(f"/cases/{case['case_id']}/findings", found)).status_code == 200
    text, template = (await phone.heard(ANN, before + 2))[before:]
    assert (text["kind"], template["kind"]) == ("text", "template")
    assert (template["text"], template["language"]) == ("request_news", "ru")
    await phone.metric('whatsapp_statuses_total{status="failed",storefront="qazaq-esim"} 1.0')

    # Who knows neither the number's owner nor the e-mail learns nothing; no number is readable anywhere.
    await sandbox.whatsapp_reaching(window_seconds=86400)
    wrong = await phone.says(BOB, "Hello", life.order_number, "1", "no network", "bob@example.org")
    assert "find no paid order" in wrong[-1]
    for table in ("whatsapp_chats", "whatsapp_cases", "work", "audit", "outbox"):
        rows = json.dumps(await refunds.rows(f"SELECT * FROM {table}"), default=repr)
        for secret in (ANN, BOB, "ann@example.org", NUMBER["token"]):
            assert str(secret) not in rows, table
    async with refunds.service.database.transaction() as tx:
        for statement in ERASE_CHATS:
            await tx.execute(statement, buyers=[life.paid().buyer_id])
    assert len(await refunds.rows("SELECT 1 FROM whatsapp_chats")) == 1, "Bob's"


async def test_only_whatsapp_is_heard(phone: Phone) -> None:
    message = {"from": ANN, "id": "wamid.1", "type": "text", "text": {"body": "Hello"}}
    body = json.dumps(webhook(message)).encode()

    def signed(raw: bytes, key: bytes = b"sandbox-whatsapp-secret") -> dict[str, str]:
        return {"x-hub-signature-256": "sha256=" + hmac.new(key, raw, hashlib.sha256).hexdigest()}

    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for headers in ({}, signed(body, b"other"), signed(body + b" "), {"x-hub-signature-256": "sha256="}):
            assert (await client.post(phone.url, content=body, headers=headers)).status_code == 401
        other = phone.url.replace("qazaq-esim", "esimka")
        assert (await client.post(other, content=body, headers=signed(body))).status_code == 404
        assert (await client.post(phone.url, content=b"[", headers=signed(b"["))).status_code == 400
        large = bytes(4 * 2**20)
        assert (await client.post(phone.url, content=large, headers=signed(large))).status_code == 413
        assert await phone.refunds.rows("SELECT 1 FROM whatsapp_updates") == []
        query = {"hub.mode": "subscribe", "hub.verify_token": "wrong", "hub.challenge": "1"}
        assert (await client.get(phone.url, params=query)).status_code == 403
        proved = await client.get(phone.url, params=query | {"hub.verify_token": NUMBER["verify_token"]})
        assert (proved.status_code, proved.text) == (200, "1")
        odd = json.dumps(webhook({"from": "x"}, {**message, "type": "reaction"}, message)).encode()
        assert (await client.post(phone.url, content=odd, headers=signed(odd))).status_code == 200
    assert len(await phone.refunds.rows("SELECT 1 FROM whatsapp_updates")) == 1


async def test_two_shops_have_numbers_of_one_app(start: "Start") -> None:
    """Each message goes to the shop of its number, by either's address; another app cannot speak of these numbers."""
    second = NUMBER | {"phone_number_id": "100200301"}
    other_app = NUMBER | {"phone_number_id": "100200302", "app_secret": "another-secret"}
    numbers = {"qazaq-esim": NUMBER, "esimka": second, "e-sim-onl": other_app}
    refunds = await start(whatsapp_numbers=numbers)

    async def hand_in(storefront: str, number: str, secret: str, message_id: str) -> int:
        text = {"from": ANN, "id": message_id, "type": "text", "text": {"body": "Hello"}}
        body = json.dumps(webhook(text, number=number)).encode()
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        async with refunds.http() as client:
            url = f"/whatsapp/{storefront}"
            return (await client.post(url, content=body, headers={"x-hub-signature-256": signature})).status_code

    async def heard() -> list[str]:
        return [row["storefront"] for row in await refunds.rows("SELECT storefront FROM whatsapp_chats ORDER BY 1")]

    shared = str(NUMBER["app_secret"])
    assert await hand_in("qazaq-esim", "100200301", shared, "wamid.1") == 200
    assert await heard() == ["esimka"]
    assert await hand_in("esimka", "100200301", shared, "wamid.1") == 200
    assert len(await refunds.rows("SELECT 1 FROM whatsapp_updates")) == 1, "one message, whichever address it came to"
    assert await hand_in("esimka", "100200300", shared, "wamid.2") == 200
    assert await heard() == ["esimka", "qazaq-esim"]
    assert await hand_in("e-sim-onl", "100200300", "another-secret", "wamid.3") == 200
    assert len(await refunds.rows("SELECT 1 FROM whatsapp_updates")) == 2, "the other app says nothing of this number"
    assert await hand_in("e-sim-onl", "100200302", shared, "wamid.4") == 401


def test_a_number_belongs_to_one_shop() -> None:
    numbers = {"qazaq-esim": NUMBER, "esimka": NUMBER}
    with pytest.raises(ValidationError, match="one phone_number_id for several storefronts"):
        Settings(
            database_url="x",
            kafka_bootstrap_servers="x",
            seal_private_key=new_private_key(),
            agent_keys={},
            whatsapp_numbers=numbers,
        )
