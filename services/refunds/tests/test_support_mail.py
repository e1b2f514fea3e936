"""E-mails to a shop: handed in by a provider, stored once, and what they open, join, or leave to an agent."""

from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import httpx
import pytest

from refunds.cases import load_one
from refunds.privacy.store import ERASE
from refunds.support_mail import mails_of_case
from refunds.support_mail.rules.reading import LARGEST_MAIL
from refunds.support_mail.service import MAILS_PER_DAY
from refunds.support_mail.threads import Thread
from shared.contracts import AppealReceived, ClaimReceived, InformationNeeded, RefundRequested
from shared.reply_tags import ReplyTags
from shared.sealed import Opener, new_private_key
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

SAMPLES = Path(__file__).parent / "mails"
KEY = "key-of-the-mail-provider"
REPLY_KEY = new_private_key()
NOTIFICATIONS = Opener(new_private_key())
PNG = b"\x89PNG\r\n\x1a\n" + bytes(9000)
VOUCHED = "mx.esimka.example; dmarc=pass header.from=example.org"
REFUND = "Please refund order {number}, I changed my mind.\nIt was paid on 20.11.2026."


def mail(text: str, *files: bytes, results: str = VOUCHED, **headers: str) -> bytes:
    """A mail of Ann's, as our own server received it."""
    message = EmailMessage()
    fields = {
        "Authentication-Results": results,
        "From": "Ann Lee <ann@example.org>",
        "To": "support@esimka.example",
        "Subject": "eSIM",
        "Message-ID": f"<{crc32(text.encode())}@example.org>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    for name, value in fields.items():
        message[name] = value
    message.set_content(text)
    for number, content in enumerate(files):
        message.add_attachment(content, maintype="image", subtype="png", filename=f"photo{number}.png")
    return message.as_bytes()


@dataclass
class Mailbox:
    """A running service, and the provider that hands mails in."""

    refunds: "Refunds"

    async def post(self, raw: bytes, storefront: str = "esimka", key: str = KEY) -> httpx.Response:
        url = f"{self.refunds.address}/support-mails/{storefront}"
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            return await client.post(url, content=raw, headers={"authorization": f"Bearer {key}"})

    async def take(self, raw: bytes) -> str:
        answer = await self.post(raw)
        assert answer.status_code == 200, answer.text
        outcome: str = answer.json()["outcome"]
        return outcome

    async def order(self) -> "Life":
        """A delivered order of Ann's."""
        life = await self.refunds.delivered("esimka")
        await self.refunds.stage.publish(life.contact())
        await self.refunds.until_rows(
            "SELECT 1 FROM contacts c JOIN order_facts f USING (buyer_id) WHERE f.order_id = :id",
            id=life.order_id,
        )
        return life

    async def mails(self, what: str = "state, why") -> list[JsonObject]:
        return await self.refunds.rows(f"SELECT {what} FROM support_mails ORDER BY mail_id")

    async def why(self, raw: bytes) -> str:
        """Why this mail waits."""
        assert await self.take(raw) == "waiting"
        [row] = await self.refunds.rows("SELECT why FROM support_mails ORDER BY received_at DESC LIMIT 1")
        return str(row["why"])


@pytest.fixture
async def box(start: "Start") -> Mailbox:
    return Mailbox(
        await start(
            support_mail_keys={"esimka": KEY},
            reply_key=REPLY_KEY,
            notifications_seal_public_key=NOTIFICATIONS.public_key,
        )
    )


async def test_a_mail_opens_a_case_and_the_answer_completes_it(box: Mailbox) -> None:
    life = await box.order()
    asks = mail(f"Refund order {life.order_number}! It does not work.")
    assert await box.take(asks) == "opened"
    assert await box.take(asks) == "repeated"
    [needed] = await box.refunds.stage.events(InformationNeeded)
    assert set(needed.event.missing) == {"payment_date", "evidence"}
    assert needed.event.thread is not None, "notifications answers in the buyer's thread"
    assert "example.org" not in needed.event.model_dump_json()
    thread = Thread.model_validate_json(NOTIFICATIONS.open(needed.event.thread))
    assert (thread.subject, thread.message_id.partition("@")[2]) == ("eSIM", "example.org")
    [requested] = await box.refunds.stage.events(RefundRequested)
    assert (requested.event.channel, requested.event.origin) == ("email", "buyer")
    answer = mail("Here: 20.11.2026, and what I see.", PNG, PNG, PNG, References="<a@b.example>")
    assert await box.take(answer) == "joined"
    assert await box.refunds.state(life) == "support"
    written = {"text": "I wait.", "channel": "account"}
    assert (await box.refunds.post(f"/orders/{life.order_id}/messages", written)).status_code == 201
    [row] = await box.refunds.rows("SELECT * FROM support_mails WHERE state = 'waiting'")
    support = box.refunds.service.app.state.support_mail
    async with box.refunds.service.database.transaction() as tx:
        order = (await tx.execute("SELECT * FROM order_facts")).one()
        await support.place_by_agent(tx, row["mail_id"], order, "note", None, who="agent:anna", trace=None)
        [case] = (await load_one(tx, life.order_id)).cases
        placed = await mails_of_case(tx, case.case_id)
        answerable = support.mails.answerable(placed)
    assert [mail.way for mail in placed] == ["webhook", "webhook", "account"]
    assert answerable is not None
    assert answerable[0].mail_id == placed[1].mail_id, "a message without an e-mail has no thread to answer in"
    files = await box.refunds.rows("SELECT refusal FROM support_mail_files ORDER BY number")
    assert [file["refusal"] for file in files] == [None, "repeated", "repeated"]
    assert await box.take(mail("the same photo once more", PNG)) == "joined"
    kept = await box.refunds.rows("SELECT 1 FROM support_mail_files WHERE content IS NOT NULL")
    assert len(kept) == 1
    notes = await box.refunds.rows("SELECT kind FROM notes ORDER BY kind")
    assert [note["kind"] for note in notes] == ["circumstances"] * 4 + ["evidence"]
    # Nothing of it is readable in a table but the words of the case, which are kept for agents.
    for table in ("support_mails", "support_mail_files", "cases", "audit", "outbox", "work"):
        assert "example.org" not in repr(await box.refunds.rows(f"SELECT * FROM {table}")), table


async def test_without_a_number_the_senders_only_order_is_meant(box: Mailbox) -> None:
    life = await box.order()
    assert await box.take(mail("Refund me, please. I changed my mind.")) == "opened"
    assert await box.refunds.state(life) == "information_needed"
    await box.order()
    assert await box.why(mail("Refund me, please. It never arrived.")) == "several_orders"


async def test_an_answer_to_our_mail_names_its_order_by_its_recipient(box: Mailbox) -> None:
    life, other = await box.order(), await box.order()
    text = "Please refund me, I changed my mind."
    assert await box.why(mail(text)) == "several_orders"
    address = ReplyTags(REPLY_KEY).address("support@esimka.example", life.order_id)
    assert await box.take(mail(f"{text} Really.", To=address)) == "opened"
    assert (await box.refunds.state(life), await box.refunds.state(other)) == ("information_needed", None)
    forged = ReplyTags(new_private_key()).address("support@esimka.example", other.order_id)
    assert await box.why(mail(f"{text} Now.", To=forged)) == "several_orders"
    stranger = mail(text, To=address, From="bob@example.net", results=VOUCHED.replace("org", "net"))
    assert await box.why(stranger) == "not_theirs"


async def test_claims_and_appeals(box: Mailbox) -> None:
    life = await box.order()
    assert await box.take(mail(f"A formal complaint about order {life.order_number}: nobody answers.")) == "claimed"
    [claim] = await box.refunds.stage.events(ClaimReceived)
    assert claim.event.order_id == life.order_id
    lost = f"Refund order {life.order_number}. I lost my code. Paid on 20.11.2026"
    assert await box.take(mail(lost)) == "opened"
    assert await box.refunds.state(life) == "denied"
    assert await box.take(mail("I appeal this decision: I never had it.", Subject="Re: Refund")) == "appealed"
    await box.refunds.stage.events(AppealReceived)
    assert await box.refunds.state(life) == "appealed"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"results": "mx.esimka.example; dmarc=fail header.from=example.org"}, "spoofed"),
        ({"results": "mx.evil.example; dmarc=pass header.from=example.org"}, "unproved"),
        ({"results": VOUCHED.replace("org", "net"), "From": "bob@example.net"}, "not_theirs"),
    ],
)
async def test_nobody_but_the_buyer_changes_anything(box: Mailbox, changed: dict[str, str], why: str) -> None:
    life = await box.order()
    text = REFUND.format(number=life.order_number)
    assert await box.why(mail(text, PNG, **changed)) == why
    assert await box.why(mail(f"A formal complaint. {text}", **changed)) == why
    assert (
        await box.refunds.rows("SELECT 1 FROM cases UNION ALL SELECT 1 FROM claims UNION ALL SELECT 1 FROM notes") == []
    )


async def test_what_is_not_clear_waits(box: Mailbox) -> None:
    life = await box.order()
    for text in ("Is a refund possible?", "Refund me.", "It does not work."):
        assert await box.why(mail(f"{text} Order {life.order_number}")) == "unclear"
    assert await box.why(mail("hello", results=VOUCHED.replace("org", "net"), From="c@example.net")) == "no_order"
    assert await box.why(b"\x00 no mail") == "unreadable"


async def test_programs_open_nothing_and_one_sender_does_not_fill_the_table(box: Mailbox) -> None:
    for name in ("out_of_office", "bounce", "list", "own_loop"):
        assert await box.take((SAMPLES / f"{name}.eml").read_bytes()) == "ignored"
    assert {row["content"] for row in await box.mails("content")} == {None}
    for number in range(MAILS_PER_DAY + 1):
        ended = await box.take(mail(f"forged {number}", results=""))
    assert ended == "ignored", "a stranger has written enough in Ann's name; she herself has not"
    outcomes = [await box.take(mail(f"hello {number}")) for number in range(MAILS_PER_DAY)]
    assert outcomes == ["waiting"] * (MAILS_PER_DAY - 1) + ["ignored"], "the absence note was one of them"


async def test_who_may_hand_in_mails_and_how_large(box: Mailbox) -> None:
    assert (await box.post(mail("x"), key="wrong")).status_code == 401
    assert (await box.post(mail("x"), storefront="e-sim-onl")).status_code == 404
    assert (await box.post(b"")).status_code == 422
    large = mail("x") + b"\n" + b"a" * LARGEST_MAIL
    assert (await box.post(large)).status_code == 413
    assert (await box.refunds.post("/claims", {"order": "1" * 300_000})).status_code == 413, "elsewhere less is taken"
    assert await box.mails() == []


async def test_mails_go_with_their_buyer_placed_or_not(box: Mailbox) -> None:
    life = await box.order()
    await box.take(mail(REFUND.format(number=life.order_number), PNG))
    await box.why(mail("something else", PNG, results="none"))
    [contact] = await box.refunds.rows("SELECT buyer_id FROM contacts")
    async with box.refunds.service.database.transaction() as tx:
        for statement in ERASE:
            await tx.execute(statement, buyers=[contact["buyer_id"]])
    for table in ("support_mails", "support_mail_files", "notes"):
        assert await box.refunds.rows(f"SELECT 1 FROM {table}") == []
