"""Personal data in dead letters: in no answer, gone with the decision, and not brought back after an erasure."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from shared.contracts import BuyerContact, OrderPaid, OrderSubmitted
from shared.database import Tx
from shared.messaging.cloudevents import header_texts, to_wire
from shared.messaging.consumer import Received, Tombstone
from shared.operations import dead_letters
from shared.operations.ageing import discard_ownerless
from shared.testing.facts import contact, paid
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


async def everything_said(room: Any) -> str:
    """All that the desk tells, as one text."""
    said = [(await room.client.get(path)).text for path in ("/summary", "/dead-letters?limit=200", "/work", "/log")]
    for item in (await room.get("/dead-letters"))["items"]:
        said.append((await room.client.get(f"/dead-letters/{item['id']}")).text)
        for dry_run in (True, False):
            body = {"ids": [item["id"]], "reason": "to see what it says", "dry_run": dry_run}
            said.append((await room.client.post("/dead-letters/redrive", json=body)).text)
    said += [(await room.client.get(path)).text for path in ("/dead-letters?limit=200", "/log")]
    return "\n".join(said)


async def test_no_answer_shows_what_a_sealed_record_holds(enter: Any) -> None:
    async def fails(_tx: Tx, batch: Sequence[Received[Any]]) -> None:
        raise ValueError(f"no words of mine: {batch[0].event}")

    room = await enter(handlers={BuyerContact: fails, OrderSubmitted: fails})
    person = contact().model_copy(update={"name": NAME, "email": MAIL, "phone": PHONE})
    await room.stage.publish(person)
    body = json.dumps({"buyer": {"name": NAME, "email": MAIL}}).encode()
    spoilt = {**SPOILT, "ce_type": MAIL, "x-buyer": MAIL}
    await room.stage.raw(OrderSubmitted.topic, MAIL.encode(), body, to_wire(spoilt))
    await room.stage.raw(
        OrderSubmitted.topic, f"esimka:{NAME}".encode(), body, to_wire(spoilt | {"ce_specversion": ""})
    )
    await room.stage.raw(
        BuyerContact.topic, PHONE.encode(), body, to_wire(spoilt | {"ce_type": BuyerContact.ce_type()})
    )
    await room.letters(4)
    said = await everything_said(room)
    assert [canary for canary in CANARIES if canary in said] == []
    keyed = (await room.get("/dead-letters", key=MAIL))["items"]
    assert [item["sealed"] for item in keyed] == [True], "who knows the key finds the letter"
    assert keyed[0]["key"].startswith("#")
    theirs = (await room.get("/dead-letters", key=str(person.buyer_id)))["items"]
    assert [item["key"] for item in theirs] == [str(person.buyer_id)], "an id says nothing of anybody"
    full = await room.letter(keyed[0]["id"])
    assert (full["sealed"], full["payload"]) == (True, None)


async def test_what_was_sealed_is_opened_for_the_redrive_and_deleted_with_the_decision(enter: Any) -> None:
    seen: list[str] = []
    broken = True

    async def handle(_tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        if broken:
            raise ValueError("not yet")
        seen.extend(one.event.email for one in batch)

    room = await enter(handlers={BuyerContact: handle})
    person = contact().model_copy(update={"email": MAIL})
    await room.stage.publish(person, contact())
    ids = await room.letters(2)
    [letter] = [item["id"] for item in (await room.get("/dead-letters", key=person.key()))["items"]]
    [other] = set(ids) - {letter}
    broken = False
    assert (await room.redrive(ids=[letter]))["taken"] == [letter]
    assert seen == [MAIL]
    await room.post("/dead-letters/discard", ids=[other])
    assert await room.query("SELECT DISTINCT sealed, payload FROM dead_letters") == [(1, None)]


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


async def spoil(room: Any, *, count: int = 1, kind: str = BuyerContact.ce_type()) -> list[str]:
    """Letters of one event, whose key and headers hold what a buyer would not want kept."""
    body = contact().model_copy(update={"email": MAIL}).model_dump_json().encode()
    for number in range(count):
        if number:
            await room.query("DELETE FROM inbox_by_arrival RETURNING 1")
        spoilt = SPOILT | {"ce_type": kind, "ce_source": "/services/ordering"}
        await room.stage.raw(BuyerContact.topic, MAIL.encode(), body, to_wire(spoilt))
        found: list[str] = await room.letters(number + 1)
    return found


@pytest.mark.parametrize("decision", ["redrive", "discard"])
async def test_of_a_decided_letter_is_kept_what_was_shown_of_it(enter: Any, decision: str) -> None:
    handle = Once()
    room = await enter(handlers={BuyerContact: handle})
    [letter] = await spoil(room)
    before = await room.letter(letter)
    assert before["key"].startswith("#")
    handle.broken = False
    assert (await room.post(f"/dead-letters/{decision}", ids=[letter]))["taken"] == [letter]
    assert handle.seen == ([MAIL] if decision == "redrive" else [])
    [(row,)] = await room.query(ROWS)
    assert [canary for canary in CANARIES if canary in row] == []
    after = await room.letter(letter)
    assert {name for name in after if after[name] != before[name]} <= DECIDED, "a fingerprint stays what it is"
    assert [item["id"] for item in (await room.get("/dead-letters", key=MAIL))["items"]] == [letter]
    for again in ("redrive", "discard"):
        [refused] = (await room.post(f"/dead-letters/{again}", ids=[letter]))["refused"]
        assert refused["reason"] == f"it is {after['state']} already"
    assert await room.query(ROWS) == [(row,)]


async def test_what_repeats_a_header_goes_too(enter: Any) -> None:
    room = await enter()
    [letter] = await spoil(room, kind=MAIL)
    await room.query("UPDATE dead_letters SET detail = :said RETURNING 1", said=f"type '{MAIL}', expected another")
    before = await room.letter(letter)
    await room.post("/dead-letters/discard", filter={"key": MAIL})
    [(row,)] = await room.query(ROWS)
    assert [canary for canary in CANARIES if canary in row] == []
    assert (await room.letter(letter))["detail"] == before["detail"] == "a type that this release does not know"


async def test_a_decision_that_is_not_committed_takes_nothing_away(enter: Any) -> None:
    handle = Once()
    room = await enter(handlers={BuyerContact: handle})
    [letter] = await spoil(room)
    kept = "SELECT key, headers, payload, state FROM dead_letters"
    before = await room.query(kept)
    handle.broken, handle.lame = False, True
    [refused] = (await room.redrive(ids=[letter]))["refused"]
    assert refused["reason"].startswith("its handler failed again: TypeError")
    assert await room.query(kept) == before
    handle.lame = False
    assert (await room.redrive(ids=[letter]))["taken"] == [letter]
    assert handle.seen == [MAIL, MAIL], "the first was rolled back"


async def test_the_twin_of_a_letter_is_known_by_what_was_kept_of_it(enter: Any) -> None:
    handle = Once()
    room = await enter(handlers={BuyerContact: handle})
    ids = await spoil(room, count=2)
    handle.broken = False
    assert (await room.redrive(ids=ids))["taken"] == ids
    assert handle.seen == [MAIL], "one event, applied once"


async def test_an_empty_record_of_a_personal_topic_is_treated_alike(enter: Any) -> None:
    room = await enter()
    await room.stage.raw(BuyerContact.topic, MAIL.encode(), None, [])
    [letter] = await room.letters(1)
    assert MAIL not in str(await room.letter(letter))
    await room.post("/dead-letters/discard", ids=[letter])
    [(row,)] = await room.query(ROWS)
    assert MAIL not in row


async def test_what_belongs_to_no_buyer_ends_by_itself(enter: Any) -> None:
    """At the start and every hour; what an erasure will reach, what is not sealed and what is younger waits on."""

    async def fails(_tx: Tx, _batch: Sequence[Received[Any]]) -> None:
        raise ValueError("not yet")

    room = await enter(handlers={BuyerContact: fails, OrderSubmitted: fails, OrderPaid: fails})
    stage, person, body = room.stage, contact(), b'{"buyer": {}}'
    await stage.publish(person, paid())
    for topic, key in ((OrderSubmitted.topic, MAIL), (BuyerContact.topic, str(person.buyer_id).upper())):
        await stage.raw(topic, key.encode(), body, to_wire(SPOILT))
    await stage.raw(OrderSubmitted.topic, str(person.buyer_id).encode(), body, to_wire(SPOILT))
    await stage.raw(OrderSubmitted.topic, None, body, to_wire(SPOILT))
    await room.letters(6)
    await room.query("UPDATE dead_letters SET received_at = now() - interval '8 days' RETURNING 1")
    await stage.raw(OrderSubmitted.topic, b"esimka:young", body, to_wire(SPOILT))
    ids = await room.letters(7)
    assert await discard_ownerless(room.service.database, 9) == 0
    assert len((await room.get("/dead-letters", state="waiting"))["items"]) == 7
    settings = {"database_url": room.service.settings.database_url, "dead_letter_sealed_days": 7}
    await stage.service(toy.build, Settings, **settings)

    async def ended() -> Any:
        return (await room.get("/log"))["items"]

    log = await stage.eventually(ended)
    gone = {item["id"]: item for item in (await room.get("/dead-letters", state="discarded"))["items"]}
    assert {item["topic"] for item in gone.values()} == {OrderSubmitted.topic, BuyerContact.topic}
    assert len(gone) == 4
    assert {line["subject"] for line in log} == set(gone)
    why = "nobody decided about it within 7 days, and no erasure would reach it"
    assert {(line["who"], line["action"], line["reason"]) for line in log} == {("system", "dead-letter.discarded", why)}
    assert {(item["decided_by"], item["decision"]) for item in gone.values()} == {("system", why)}
    rows = await room.query("SELECT d::text FROM dead_letters d WHERE state = 'discarded'")
    assert [canary for canary in CANARIES if canary in str(rows)] == []
    assert await room.query("SELECT count(*) FROM dead_letters WHERE payload IS NOT NULL") == [(3,)]
    waiting = {item["id"] for item in (await room.get("/dead-letters", state="waiting"))["items"]}
    assert waiting == set(ids) - set(gone)
    assert await discard_ownerless(room.service.database, 7) == 0
    assert (await room.get("/log"))["items"] == log


async def test_a_letter_in_somebodys_hands_is_left_to_them(enter: Any) -> None:
    room = await enter()
    [letter] = await spoil(room, kind=MAIL)
    await room.query("UPDATE dead_letters SET received_at = now() - interval '31 days' RETURNING 1")
    async with room.service.database.transaction() as tx:
        assert await dead_letters.take(tx, UUID(letter))
        assert await discard_ownerless(room.service.database, 30) == 0
    assert await discard_ownerless(room.service.database, 30) == 1


async def test_a_letter_sealed_to_another_key_waits_and_says_so(enter: Any) -> None:
    room = await enter()
    await room.stage.raw(BuyerContact.topic, b"k", b"{}", [])
    [letter] = await room.letters(1)
    await room.query("UPDATE dead_letters SET payload = 'bm90IGEgYm94' RETURNING 1")
    for dry_run in (True, False):
        [refused] = (await room.redrive(ids=[letter], dry_run=dry_run))["refused"]
        assert refused["reason"].startswith("its payload was sealed to a key")


async def test_a_redrive_at_the_moment_of_an_erasure_brings_nobody_back(enter: Any) -> None:
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

    room = await enter(handlers={BuyerContact: keep}, forgets={BuyerContact: forget})
    person = contact()
    [sent] = await room.stage.publish(person)
    [letter] = await room.letters(1)
    broken = False
    redrive = asyncio.create_task(room.redrive(ids=[letter]))
    await begun.wait()
    tombstone = to_wire({**header_texts(sent, person.updated_at), "ce_id": "erased"})
    await room.stage.raw(BuyerContact.topic, person.key().encode(), None, tombstone)

    async def waits() -> bool:
        sql = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return bool(await room.query(sql))

    await room.stage.eventually(waits)
    go_on.set()
    assert (await redrive)["taken"] == [letter]

    async def forgotten() -> bool:
        return not await room.query("SELECT 1 AS one FROM seen UNION ALL SELECT 1 FROM dead_letters")

    await room.stage.eventually(forgotten)
    [refused] = (await room.redrive(ids=[letter]))["refused"]
    assert refused["reason"].startswith("there is no such letter")


async def test_a_tombstone_whose_handler_failed_is_redriven_too(enter: Any) -> None:
    broken = True
    erased: list[str] = []

    async def forget(_tx: Tx, batch: Sequence[Tombstone]) -> None:
        if broken:
            raise ValueError("not yet")
        erased.extend(one.key for one in batch)

    room = await enter(forgets={BuyerContact: forget})
    person = contact()
    headers = to_wire({"ce_specversion": "1.0", "ce_id": "1", "ce_type": BuyerContact.ce_type()})
    await room.stage.raw(BuyerContact.topic, person.key().encode(), None, headers)
    [letter] = await room.letters(1)
    broken = False
    assert (await room.redrive(ids=[letter]))["taken"] == [letter]
    assert erased == [person.key()]
    assert await room.query("SELECT 1 FROM dead_letters") == [], "erased means erased"
    assert [line["action"] for line in (await room.get("/log"))["items"]] == ["dead-letter.redriven"]
