"""Personal data in dead letters: in no answer, gone with the decision, and not brought back after an erasure."""

import asyncio
import json
from collections.abc import Sequence
from uuid import UUID

import pytest

from shared.contracts import BuyerContact, OrderPaid, OrderSubmitted
from shared.contracts.base import Event
from shared.database import Tx
from shared.messaging.cloudevents import header_texts, to_wire
from shared.messaging.consumer import Received, Tombstone
from shared.operations import dead_letters
from shared.operations.ageing import discard_ownerless
from shared.testing.documents import Json
from shared.testing.facts import contact, paid
from shared.testing.operations import RunningToy, StartToy
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

NAME, MAIL, PHONE = "Zhanna Canary", "zhanna.canary@example.org", "+77010001234"
CANARIES = ("Zhanna", "canary", "zhanna", "7010001234")


SPOILT = {
    "ce_specversion": "1.0",
    "ce_id": MAIL,
    "ce_source": f"/{NAME}",
    "ce_type": BuyerContact.ce_type(),
    "ce_time": PHONE,
    "content-type": NAME,
}
DECIDED = {"state", "decided_at", "decided_by", "decision", "redrives"}
ROWS = "SELECT d::text FROM dead_letters d ORDER BY id"


async def everything_said(running: RunningToy) -> str:
    """All that the desk tells, as one text."""
    texts = [(await running.client.get(path)).text for path in ("/summary", "/dead-letters?limit=200", "/work", "/log")]
    for item in (await running.get("/dead-letters"))["items"]:
        texts.append((await running.client.get(f"/dead-letters/{item['id']}")).text)
        for dry_run in (True, False):
            body = {"ids": [item["id"]], "reason": "to see what it says", "dry_run": dry_run}
            texts.append((await running.client.post("/dead-letters/redrive", json=body)).text)
    texts += [(await running.client.get(path)).text for path in ("/dead-letters?limit=200", "/log")]
    return "\n".join(texts)


async def test_no_response_shows_the_content_of_a_sealed_record(enter: StartToy) -> None:
    async def fails(_tx: Tx, batch: Sequence[Received[Event]]) -> None:
        raise ValueError(f"no words of mine: {batch[0].event}")

    running = await enter(handlers={BuyerContact: fails, OrderSubmitted: fails})
    person = contact().model_copy(update={"name": NAME, "email": MAIL, "phone": PHONE})
    await running.stage.publish(person)
    body = json.dumps({"buyer": {"name": NAME, "email": MAIL}}).encode()
    spoilt = {**SPOILT, "ce_type": MAIL, "x-buyer": MAIL}
    await running.stage.raw(OrderSubmitted.topic, MAIL.encode(), body, to_wire(spoilt))
    await running.stage.raw(
        OrderSubmitted.topic, f"esimka:{NAME}".encode(), body, to_wire(spoilt | {"ce_specversion": ""})
    )
    await running.stage.raw(
        BuyerContact.topic, PHONE.encode(), body, to_wire(spoilt | {"ce_type": BuyerContact.ce_type()})
    )
    await running.dead_letters(4)
    answers = await everything_said(running)
    assert [canary for canary in CANARIES if canary in answers] == []
    keyed = (await running.get("/dead-letters", key=MAIL))["items"]
    assert [item["sealed"] for item in keyed] == [True], "who knows the key finds the letter"
    assert keyed[0]["key"].startswith("#")
    theirs = (await running.get("/dead-letters", key=str(person.buyer_id)))["items"]
    assert [item["key"] for item in theirs] == [str(person.buyer_id)], "an id says nothing of anybody"
    full = await running.dead_letter(keyed[0]["id"])
    assert (full["sealed"], full["payload"]) == (True, None)


async def test_a_sealed_payload_is_opened_for_the_redrive_and_deleted_with_the_decision(enter: StartToy) -> None:
    seen: list[str] = []
    broken = True

    async def handle(_tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        if broken:
            raise ValueError("not yet")
        seen.extend(one.event.email for one in batch)

    running = await enter(handlers={BuyerContact: handle})
    person = contact().model_copy(update={"email": MAIL})
    await running.stage.publish(person, contact())
    ids = await running.dead_letters(2)
    [letter] = [item["id"] for item in (await running.get("/dead-letters", key=person.key()))["items"]]
    [other] = set(ids) - {letter}
    broken = False
    assert (await running.redrive(ids=[letter]))["taken"] == [letter]
    assert seen == [MAIL]
    await running.post("/dead-letters/discard", ids=[other])
    assert await running.query("SELECT DISTINCT sealed, payload FROM dead_letters") == [(1, None)]


class Once:
    """A handler that fails until it is mended, and may leave what cannot be committed."""

    def __init__(self) -> None:
        self.broken, self.lame = True, False
        self.seen: list[str] = []

    async def __call__(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        if self.broken:
            raise ValueError("not yet")
        self.seen.extend(one.event.email for one in batch)
        if self.lame:
            tx.schedule("greet", "x", {"no JSON": object()})


async def spoil(running: RunningToy, *, count: int = 1, kind: str = BuyerContact.ce_type()) -> list[str]:
    """Letters of one event, whose key and headers hold what a buyer would not want kept."""
    body = contact().model_copy(update={"email": MAIL}).model_dump_json().encode()
    for number in range(count):
        if number:
            await running.query("DELETE FROM inbox_by_arrival RETURNING 1")
        spoilt = SPOILT | {"ce_type": kind, "ce_source": "/services/ordering"}
        await running.stage.raw(BuyerContact.topic, MAIL.encode(), body, to_wire(spoilt))
        found: list[str] = await running.dead_letters(number + 1)
    return found


@pytest.mark.parametrize("decision", ["redrive", "discard"])
async def test_a_decided_dead_letter_keeps_only_what_was_listed(enter: StartToy, decision: str) -> None:
    handle = Once()
    running = await enter(handlers={BuyerContact: handle})
    [letter] = await spoil(running)
    before = await running.dead_letter(letter)
    assert before["key"].startswith("#")
    handle.broken = False
    assert (await running.post(f"/dead-letters/{decision}", ids=[letter]))["taken"] == [letter]
    assert handle.seen == ([MAIL] if decision == "redrive" else [])
    [(row,)] = await running.query(ROWS)
    assert [canary for canary in CANARIES if canary in row] == []
    after = await running.dead_letter(letter)
    assert {name for name in after if after[name] != before[name]} <= DECIDED, "a fingerprint stays what it is"
    assert [item["id"] for item in (await running.get("/dead-letters", key=MAIL))["items"]] == [letter]
    for again in ("redrive", "discard"):
        [refused] = (await running.post(f"/dead-letters/{again}", ids=[letter]))["refused"]
        assert refused["reason"] == f"it is {after['state']} already"
    assert await running.query(ROWS) == [(row,)]


async def test_a_detail_that_repeats_a_header_is_deleted_too(enter: StartToy) -> None:
    running = await enter()
    [letter] = await spoil(running, kind=MAIL)
    await running.query("UPDATE dead_letters SET detail = :said RETURNING 1", said=f"type '{MAIL}', expected another")
    before = await running.dead_letter(letter)
    await running.post("/dead-letters/discard", filter={"key": MAIL})
    [(row,)] = await running.query(ROWS)
    assert [canary for canary in CANARIES if canary in row] == []
    assert (await running.dead_letter(letter))["detail"] == before["detail"] == "a type that this release does not know"


async def test_a_decision_that_is_not_committed_deletes_nothing(enter: StartToy) -> None:
    handle = Once()
    running = await enter(handlers={BuyerContact: handle})
    [letter] = await spoil(running)
    kept = "SELECT key, headers, payload, state FROM dead_letters"
    before = await running.query(kept)
    handle.broken, handle.lame = False, True
    [refused] = (await running.redrive(ids=[letter]))["refused"]
    assert refused["reason"].startswith("its handler failed again: TypeError")
    assert await running.query(kept) == before
    handle.lame = False
    assert (await running.redrive(ids=[letter]))["taken"] == [letter]
    assert handle.seen == [MAIL, MAIL], "the first was rolled back"


async def test_a_second_dead_letter_of_an_event_is_recognised_by_its_fingerprints(enter: StartToy) -> None:
    handle = Once()
    running = await enter(handlers={BuyerContact: handle})
    ids = await spoil(running, count=2)
    handle.broken = False
    assert (await running.redrive(ids=ids))["taken"] == ids
    assert handle.seen == [MAIL], "one event, applied once"


async def test_an_empty_record_of_a_personal_topic_is_sealed_too(enter: StartToy) -> None:
    running = await enter()
    await running.stage.raw(BuyerContact.topic, MAIL.encode(), None, [])
    [letter] = await running.dead_letters(1)
    assert MAIL not in str(await running.dead_letter(letter))
    await running.post("/dead-letters/discard", ids=[letter])
    [(row,)] = await running.query(ROWS)
    assert MAIL not in row


async def test_a_dead_letter_that_belongs_to_no_buyer_is_discarded_after_its_time(enter: StartToy) -> None:
    """At the start and every hour; what an erasure will reach, what is not sealed and what is younger waits on."""

    async def fails(_tx: Tx, _batch: Sequence[Received[Event]]) -> None:
        raise ValueError("not yet")

    running = await enter(handlers={BuyerContact: fails, OrderSubmitted: fails, OrderPaid: fails})
    stage, person, body = running.stage, contact(), b'{"buyer": {}}'
    await stage.publish(person, paid())
    for topic, key in ((OrderSubmitted.topic, MAIL), (BuyerContact.topic, str(person.buyer_id).upper())):
        await stage.raw(topic, key.encode(), body, to_wire(SPOILT))
    await stage.raw(OrderSubmitted.topic, str(person.buyer_id).encode(), body, to_wire(SPOILT))
    await stage.raw(OrderSubmitted.topic, None, body, to_wire(SPOILT))
    await running.dead_letters(6)
    await running.query("UPDATE dead_letters SET received_at = now() - interval '8 days' RETURNING 1")
    await stage.raw(OrderSubmitted.topic, b"esimka:young", body, to_wire(SPOILT))
    ids = await running.dead_letters(7)
    assert await discard_ownerless(running.service.database, 9) == 0
    assert len((await running.get("/dead-letters", state="waiting"))["items"]) == 7
    settings = {"database_url": running.service.settings.database_url, "dead_letter_sealed_days": 7}
    await stage.service(toy.build, Settings, **settings)

    async def ended() -> Json:
        return (await running.get("/log"))["items"]

    log = await stage.eventually(ended)
    gone = {item["id"]: item for item in (await running.get("/dead-letters", state="discarded"))["items"]}
    assert {item["topic"] for item in gone.values()} == {OrderSubmitted.topic, BuyerContact.topic}
    assert len(gone) == 4
    assert {line["subject"] for line in log} == set(gone)
    why = "nobody decided about it within 7 days, and no erasure would reach it"
    assert {(line["who"], line["action"], line["reason"]) for line in log} == {("system", "dead-letter.discarded", why)}
    assert {(item["decided_by"], item["decision"]) for item in gone.values()} == {("system", why)}
    rows = await running.query("SELECT d::text FROM dead_letters d WHERE state = 'discarded'")
    assert [canary for canary in CANARIES if canary in str(rows)] == []
    assert await running.query("SELECT count(*) FROM dead_letters WHERE payload IS NOT NULL") == [(3,)]
    waiting = {item["id"] for item in (await running.get("/dead-letters", state="waiting"))["items"]}
    assert waiting == set(ids) - set(gone)
    assert await discard_ownerless(running.service.database, 7) == 0
    assert (await running.get("/log"))["items"] == log


async def test_a_dead_letter_that_is_being_redriven_is_not_discarded(enter: StartToy) -> None:
    running = await enter()
    [letter] = await spoil(running, kind=MAIL)
    await running.query("UPDATE dead_letters SET received_at = now() - interval '31 days' RETURNING 1")
    async with running.service.database.transaction() as tx:
        assert await dead_letters.take(tx, UUID(letter))
        assert await discard_ownerless(running.service.database, 30) == 0
    assert await discard_ownerless(running.service.database, 30) == 1


async def test_a_dead_letter_sealed_to_another_key_goes_on_waiting_with_the_reason(enter: StartToy) -> None:
    running = await enter()
    await running.stage.raw(BuyerContact.topic, b"k", b"{}", [])
    [letter] = await running.dead_letters(1)
    await running.query("UPDATE dead_letters SET payload = 'bm90IGEgYm94' RETURNING 1")
    for dry_run in (True, False):
        [refused] = (await running.redrive(ids=[letter], dry_run=dry_run))["refused"]
        assert refused["reason"].startswith("its payload was sealed to a key")


async def test_a_redrive_during_an_erasure_restores_no_data(enter: StartToy) -> None:
    """The erasure waits for the redrive, then forgets also what that brought back."""
    broken, begun, go_on = True, asyncio.Event(), asyncio.Event()

    async def keep(tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        if broken:
            raise ValueError("not yet")
        for one in batch:
            await tx.execute("INSERT INTO seen (order_id, handled) VALUES (:id, 1)", id=one.event.buyer_id)
        begun.set()
        await go_on.wait()

    async def forget(tx: Tx, batch: Sequence[Tombstone]) -> None:
        await tx.execute(
            "DELETE FROM seen WHERE CAST(order_id AS text) = ANY(CAST(:keys AS text[]))",
            keys=[one.key for one in batch],
        )

    running = await enter(handlers={BuyerContact: keep}, forgets={BuyerContact: forget})
    person = contact()
    [sent] = await running.stage.publish(person)
    [letter] = await running.dead_letters(1)
    broken = False
    redrive = asyncio.create_task(running.redrive(ids=[letter]))
    await begun.wait()
    tombstone = to_wire({**header_texts(sent, person.updated_at), "ce_id": "erased"})
    await running.stage.raw(BuyerContact.topic, person.key().encode(), None, tombstone)

    async def waits() -> bool:
        sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await running.query(sql))

    await running.stage.eventually(waits)
    go_on.set()
    assert (await redrive)["taken"] == [letter]

    async def forgotten() -> bool:
        return not await running.query("SELECT 1 AS one FROM seen UNION ALL SELECT 1 FROM dead_letters")

    await running.stage.eventually(forgotten)
    [refused] = (await running.redrive(ids=[letter]))["refused"]
    assert refused["reason"].startswith("there is no such letter")


async def test_a_tombstone_whose_handler_failed_is_redriven_too(enter: StartToy) -> None:
    broken = True
    erased: list[str] = []

    async def forget(_tx: Tx, batch: Sequence[Tombstone]) -> None:
        if broken:
            raise ValueError("not yet")
        erased.extend(one.key for one in batch)

    running = await enter(forgets={BuyerContact: forget})
    person = contact()
    headers = to_wire({"ce_specversion": "1.0", "ce_id": "1", "ce_type": BuyerContact.ce_type()})
    await running.stage.raw(BuyerContact.topic, person.key().encode(), None, headers)
    [letter] = await running.dead_letters(1)
    broken = False
    assert (await running.redrive(ids=[letter]))["taken"] == [letter]
    assert erased == [person.key()]
    assert await running.query("SELECT 1 FROM dead_letters") == [], "erased means erased"
    assert [line["action"] for line in (await running.get("/log"))["items"]] == ["dead-letter.redriven"]
