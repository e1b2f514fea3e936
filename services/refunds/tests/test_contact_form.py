"""The contact form of a shop's site: what a stranger writes waits for an agent, and locks nobody out."""

from typing import TYPE_CHECKING

import httpx

from refunds.channels.contact_form.models import ContactMessage
from refunds.privacy.store import ERASE
from refunds.support_mail.rules.wishes import read_wish
from refunds.support_mail.store import DAY, messages_since
from shared.contracts import SupportAnswered
from shared.sealed import Opener, new_private_key
from shared.testing.documents import Json

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start

NOTIFICATIONS = Opener(new_private_key())
SITE = "https://e-sim-onl.example"


def test_a_message_is_read_as_an_unproved_mail_is() -> None:
    message = ContactMessage(email=" Ann@Example.org ", text="Не работает, верните деньги!", order_number="№ 123456")
    mail = message.as_mail()
    wish = read_wish(mail)
    assert (mail.proof, mail.sender) == ("unknown", "Ann@example.org")
    assert (wish.order_numbers, wish.refund, wish.reason) == (("123456",), True, "technical_failure")
    assert "Ann" not in repr(message)
    assert ContactMessage(email="ann@example.org", text="Hello").as_mail().subject == "Contact form"


async def test_a_message_waits_and_only_the_contact_of_the_order_is_written_to(start: "Start") -> None:
    refunds = await start(notifications_seal_public_key=NOTIFICATIONS.public_key)
    life = await refunds.delivered("e-sim-onl")
    await refunds.stage.publish(life.contact())
    await refunds.until_rows("SELECT 1 FROM contacts")
    body = {"email": "ann@example.org", "text": "Please refund me.", "order_number": life.order_number}
    base = refunds.address
    async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False, headers={"origin": SITE}) as client:

        async def post(form: dict[str, str], **more: Json) -> tuple[int, str]:
            answer = await client.post("/contact/e-sim-onl", **dict[str, Json](json=form) | more)
            document = answer.json() if "json" in answer.headers["content-type"] else {}
            return answer.status_code, document.get("type", "").removeprefix("urn:problem:")

        # Right, wrong and unknown are answered alike.
        answers = [
            await client.post("/contact/e-sim-onl", json=form)
            for form in (body, body, body | {"order_number": "999999999"}, body | {"email": "thief@example.net"})
        ]
        assert {(one.status_code, one.text) for one in answers} == {(202, '{"outcome":"received"}')}
        assert answers[0].headers["access-control-allow-origin"] == SITE
        page = await client.post("/contact/e-sim-onl", data=body | {"text": "Верните деньги\r\nпожалуйста"})
        assert page.status_code == 202
        assert '<html lang="ru">' in page.text
        preflight = await client.options("/contact/e-sim-onl")
        assert (preflight.status_code, preflight.headers["access-control-allow-headers"]) == (204, "Content-Type")

        assert await post(body, headers={"origin": "https://evil.example"}) == (403, "foreign-origin")
        assert await post(body, headers={"authorization": "Bearer qazaq-key"}) == (404, "no-contact-form")
        assert (await client.post("/contact/nobody", json=body)).status_code == 404
        async with httpx.AsyncClient(base_url=base, timeout=60, trust_env=False) as program:
            assert (await program.post("/contact/e-sim-onl", json=body)).status_code == 401
        assert await post({}, json=None, content=b"\xff", headers={"content-type": "application/json"}) == (
            400,
            "malformed-body",
        )
        assert await post({}, json=None, content=b"x", headers={"content-type": "text/plain"}) == (
            415,
            "unsupported-type",
        )
        assert await post(body | {"text": "x" * 70_000}) == (413, "body-too-large")
        wrong = await client.post("/contact/e-sim-onl", json={"email": "ann", "text": " ", "more": 1})
        assert wrong.status_code == 422
        assert {one["field"] for one in wrong.json()["errors"]} == {"email", "text", "more"}
        assert wrong.headers["access-control-allow-origin"] == SITE

        # One network and mailbox: five in 15 minutes. The shop itself, and other mailboxes, go on.
        codes = [await post(body | {"text": f"again {number}"}) for number in range(3)]
        assert codes == [(202, ""), (429, "too-many-form-messages"), (429, "too-many-form-messages")]
        assert await post(body | {"email": "bob@example.org"}) == (202, "")
        assert await post(body | {"text": "from the shop"}, headers={"authorization": "Bearer onl-key"}) == (202, "")

    rows = await refunds.rows(
        "SELECT state, why, proof, order_id, case_id FROM support_mails WHERE order_id IS NOT NULL"
    )
    assert {tuple(row.values()) for row in rows} == {("waiting", "unproved", "unknown", life.order_id, None)}
    assert len(rows) == 4
    assert len(await refunds.rows("SELECT 1 FROM support_mails")) == 7
    assert await refunds.rows("SELECT 1 FROM cases") == []
    [written] = await refunds.stage.events(SupportAnswered)
    assert (written.event.order_id, written.event.case_id) == (life.order_id, None)
    words = NOTIFICATIONS.open(written.event.words).decode()
    assert life.order_number in words
    assert "refund me" not in words, "nothing that a stranger wrote is mailed"

    async with refunds.service.database.transaction() as tx:
        counted = await messages_since(tx, life.order_id, tx.now - DAY)
        assert counted == 0, "the owner's own messages are not limited by strangers'"
        for statement in ERASE:
            await tx.execute(statement, buyers=[life.paid().buyer_id])
    left = await refunds.rows("SELECT order_id FROM support_mails")
    assert [row["order_id"] for row in left] == [None, None], "those of other addresses"
