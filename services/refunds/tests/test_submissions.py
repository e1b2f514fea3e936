"""Evidence and messages that come without an e-mail: kept once, sealed, opened by agents, deleted with the buyer."""

from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest

from refunds.privacy.store import ERASE
from refunds.support_mail.rules.file_types import LARGEST_FILE, MOST_FILES, file_of
from refunds.support_mail.store import NewMail, settle
from refunds.support_mail.submissions import MESSAGES_PER_DAY
from shared.contracts import InformationNeeded, RequestRegistered
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

PHOTO = b"\xff\xd8\xff\xe0" + b"a photo of a phone without a network"
WORKS_NOT = {
    "reason": "technical_failure",
    "channel": "account",
    "provided": ["email", "full_name", "payment_date"],
    "circumstances": "No network",
}


async def send(
    refunds: "Refunds", life: "Life", content: bytes, key: str = "esimka-key", **query: str
) -> httpx.Response:
    url = f"{refunds.address}/orders/{life.order_id}/evidence"
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        return await client.post(url, params=query, content=content, headers=headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:problem:")


async def test_a_photo_completes_the_case_that_waits_for_it_and_is_kept_once(start: "Start") -> None:
    refunds = await start()
    life = await refunds.delivered("esimka")
    asked = await refunds.post(f"/orders/{life.order_id}/refund-requests", WORKS_NOT, "esimka-key")
    assert asked.json()["decision"]["missing"] == ["evidence"]
    case_id = asked.json()["case_id"]
    first = await send(refunds, life, PHOTO, name="IMG 1.jpg", channel="account")
    assert (first.status_code, first.json()) == (201, {"outcome": "stored"})
    assert await refunds.state(life) == "support"
    for _ in range(9):
        again = await send(refunds, life, PHOTO, name="other name.jpg")
        assert (again.status_code, again.json()) == (200, {"outcome": "repeated"})
    [kept] = await refunds.rows(
        "SELECT m.mail_id, m.way, m.state, f.kind, f.content FROM support_mails m "
        "JOIN support_mail_files f USING (mail_id)"
    )
    assert (kept["way"], kept["state"], kept["kind"]) == ("account", "placed", "image/jpeg")
    assert PHOTO not in bytes(kept["content"]), "sealed"
    notes = await refunds.rows("SELECT text FROM notes WHERE kind = 'evidence'")
    assert [note["text"] for note in notes] == [f"File IMG 1.jpg (image/jpeg, {len(PHOTO)} bytes)"]
    assert len(await refunds.stage.all_events(InformationNeeded)) == 1
    [registered] = await refunds.stage.events(RequestRegistered)
    assert registered.event.waits_for == "support"
    due_at = (await refunds.rows("SELECT deadlines->>'decide_by' AS at FROM cases"))[0]["at"]
    assert registered.event.answer_by.isoformat() == due_at, "RF 5.1"
    async with refunds.service.database.reading() as tx:
        mails = refunds.service.app.state.support_mail.mails
        assert await mails.file(tx, kept["mail_id"], 0) == ("image/jpeg", PHOTO), "agents open it"
        from refunds.support_mail import mails_of_case  # noqa: PLC0415 - what the agents' page of a case lists

        assert [row.mail_id for row in await mails_of_case(tx, case_id)] == [kept["mail_id"]]
    async with refunds.service.database.transaction() as tx:
        for statement in ERASE:
            await tx.execute(statement, buyers=[life.paid().buyer_id])
    assert await refunds.rows("SELECT 1 FROM support_mail_files UNION ALL SELECT 1 FROM support_mails") == []


async def test_what_is_no_evidence_is_refused_and_says_why(start: "Start") -> None:
    refunds = await start()
    life = await refunds.delivered("esimka")
    assert problem(await send(refunds, life, b"PK\x03\x04" + bytes(99))) == (415, "not-evidence")
    zipped = await send(refunds, life, b"PK\x03\x04" + bytes(99))
    assert "application/zip" in zipped.json()["detail"]
    assert "image/jpeg" in zipped.json()["detail"]
    assert problem(await send(refunds, life, PHOTO + bytes(LARGEST_FILE))) == (413, "body-too-large")
    assert problem(await send(refunds, life, b"")) == (422, "no-file")
    assert problem(await send(refunds, life, PHOTO, key="onl-key")) == (404, "unknown-order")
    assert problem(await send(refunds, life, PHOTO, key="nobody")) == (401, "unknown-api-key")
    assert await refunds.rows("SELECT 1 FROM support_mails") == []
    async with refunds.service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO support_mails (mail_id, storefront, way, received_at, state, order_id, keep_until) "
            "SELECT gen_random_uuid(), 'esimka', 'account', now(), 'placed', :order, now() + interval '1 day' "
            "FROM generate_series(1, :files)",
            order=life.order_id,
            files=MOST_FILES,
        )
        await tx.execute(
            "INSERT INTO support_mail_files SELECT mail_id, 0, 'digest', 'image/png', 1, NULL, '', 'x' "
            "FROM support_mails"
        )
    assert problem(await send(refunds, life, PHOTO)) == (409, "too-many-evidence-files")
    assert (await send(refunds, life, PHOTO, key="agent-key")).status_code == 201, "agents have no limit"


async def test_a_message_waits_for_an_agent_who_places_it(start: "Start") -> None:
    refunds = await start()
    life = await refunds.delivered("esimka")
    path = f"/orders/{life.order_id}/messages"
    body: JsonObject = {"text": "The operator says <no>.", "channel": "account", "email": "ann@example.org"}
    assert (await refunds.post(path, body, "esimka-key")).status_code == 201
    assert (await refunds.post(path, body, "esimka-key")).json() == {"outcome": "repeated"}
    [row] = await refunds.rows("SELECT * FROM support_mails")
    assert (row["state"], row["why"], row["order_id"]) == ("waiting", "message", life.order_id)
    assert "ann@example.org" not in repr(row)
    mail = refunds.service.app.state.support_mail
    async with refunds.service.database.transaction() as tx:
        order = (await tx.execute("SELECT * FROM order_facts")).one()
        stored = (await tx.execute("SELECT * FROM support_mails")).one()
        content = mail.mails.content(stored)
        assert (content.own, content.sender) == (body["text"], body["email"])
        who = "agent:anna"
        assert await mail.place_by_agent(tx, row["mail_id"], order, "refund", "other", who=who, trace=None)
    [case] = await refunds.rows("SELECT channel FROM cases")
    assert case["channel"] == "account"
    for number in range(MESSAGES_PER_DAY - 1):
        assert (await refunds.post(path, {"text": f"{number}"}, "esimka-key")).status_code == 201
    assert problem(await refunds.post(path, {"text": "more"}, "esimka-key")) == (429, "too-many-messages")
    assert problem(await refunds.post(path, {"text": ""}, "esimka-key"))[0] == 422


async def test_a_dismissed_message_stays_with_its_buyer_and_its_words_may_come_again(start: "Start") -> None:
    refunds = await start()
    life, other = await refunds.delivered("esimka"), await refunds.delivered("esimka")
    path, body = f"/orders/{life.order_id}/messages", {"text": "Where is my code?"}
    mail = refunds.service.app.state.support_mail
    for how in ("dismissed", "placed"):
        assert (await refunds.post(path, body, "esimka-key")).json() == {"outcome": "stored"}, how
        [row] = await refunds.rows("SELECT * FROM support_mails WHERE state = 'waiting'")
        async with refunds.service.database.transaction() as tx:
            if how == "dismissed":
                await mail.dismiss(tx, row["mail_id"], "agent:anna")
            else:  # at another order: the words are about that one
                sql = "SELECT * FROM order_facts WHERE order_id = :order"
                order = (await tx.execute(sql, order=other.order_id)).one()
                await mail.place_by_agent(tx, row["mail_id"], order, "claim", None, who="agent:anna", trace=None)
    assert (await refunds.post(path, body, "esimka-key")).json() == {"outcome": "stored"}
    assert (await refunds.post(path, body, "esimka-key")).json() == {"outcome": "repeated"}
    sql = "SELECT state FROM support_mails WHERE buyer_id = :buyer ORDER BY state"
    about = [row["state"] for row in await refunds.rows(sql, buyer=life.paid().buyer_id)]
    assert about == ["dismissed", "waiting"], "found by an erasure (PP 6.2)"


@pytest.mark.parametrize(
    ("state", "about"),
    [("waiting", {}), ("dismissed", {}), ("placed", {"claim_id": uuid7()}), ("placed", {"case_id": uuid7()})],
)
async def test_a_photo_that_has_not_reached_the_case_completes_it(
    start: "Start", state: str, about: JsonObject
) -> None:
    """The same photo in a mail that waits, was dismissed, is a claim, or belongs to an earlier case."""
    refunds = await start()
    life = await refunds.delivered("esimka")
    asked = await refunds.post(f"/orders/{life.order_id}/refund-requests", WORKS_NOT, "esimka-key")
    case_id = UUID(asked.json()["case_id"])
    mails = refunds.service.app.state.support_mail.mails
    file = file_of("photo.jpg", PHOTO, 0)
    async with refunds.service.database.transaction() as tx:
        order = (await tx.execute("SELECT * FROM order_facts")).one()
        new = NewMail(uuid7(), "esimka", "webhook", tx.now, "waiting", None, None, None, None, (file,))
        await mails.insert(tx, new, None)
        await settle(tx, new.mail_id, state, order=order, **about)
    assert (await send(refunds, life, PHOTO, name="photo.jpg")).json() == {"outcome": "stored"}
    assert await refunds.state(life) == "support"
    async with refunds.service.database.transaction() as tx:
        cases = refunds.service.app.state.case_service
        await cases.ask_again(tx, life.order_id, case_id, "agent:anna", ["evidence"], None)
    assert (await send(refunds, life, PHOTO, name="photo.jpg")).json() == {"outcome": "repeated"}
    assert await refunds.state(life) == "information_needed", "an agent has seen that it shows nothing"


@pytest.mark.parametrize("text", ["", "later"])
async def test_evidence_before_the_request_belongs_to_it(start: "Start", text: str) -> None:
    refunds = await start()
    life = await refunds.delivered("esimka")
    assert (await send(refunds, life, PHOTO)).status_code == 201
    body = {**WORKS_NOT, "provided": [*WORKS_NOT["provided"], "evidence"], "circumstances": text or "No network"}
    asked = await refunds.post(f"/orders/{life.order_id}/refund-requests", body, "esimka-key")
    assert asked.json()["state"] == "support"
    async with refunds.service.database.reading() as tx:
        from refunds.support_mail import mails_of_case  # noqa: PLC0415 - as above

        assert len(await mails_of_case(tx, asked.json()["case_id"])) == 1
