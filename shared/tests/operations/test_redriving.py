"""A redrive applies a fact as if it came now, once, whatever is repeated around it."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from shared.contracts import OrderPaid, QrDelivered
from shared.database import Tx
from shared.messaging.cloudevents import header_texts, to_wire
from shared.messaging.consumer import Received
from shared.telemetry.tracing import new_traceparent
from shared.testing.facts import paid
from shared.testing.operations import StartToy
from shared.testing.toy import service as toy


async def test_a_fact_whose_handler_failed_is_applied_once_its_cause_is_gone(
    enter: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await enter()
    fact = paid(toy.POISON)
    [sent] = await running.stage.publish(fact, trace=new_traceparent(sampled=True))
    [letter] = await running.dead_letters(1)
    again = await running.redrive(ids=[letter])
    assert again["taken"] == []
    assert again["refused"][0]["reason"].startswith("its handler failed again: ValueError at service.py:")
    shown = await running.dead_letter(letter)
    assert (shown["state"], shown["redrives"], shown["reason"]) == ("waiting", 1, "handler_failed")

    monkeypatch.setattr(toy, "POISON", "nothing")
    done = await running.redrive(ids=[letter])
    assert (done["taken"], done["refused"], done["left"]) == ([letter], [], 0)
    [delivered] = await running.stage.events(QrDelivered)
    assert delivered.trace is not None
    assert delivered.trace[3:35] == shown["trace"], "the order is still one trace"
    assert (await running.redrive(ids=[letter]))["taken"] == []
    shown = await running.dead_letter(letter)
    assert (shown["state"], shown["decided_by"], shown["redrives"]) == ("redriven", "operations", 2)
    await running.stage.republish(sent)

    async def seen_again() -> bool:
        return bool(running.service.metrics.duplicates._value.get() >= 1)

    await running.stage.eventually(seen_again)
    lines = (await running.get("/log"))["items"]
    assert [line["action"] for line in lines] == ["dead-letter.redriven", "dead-letter.redrive-failed"]
    assert await running.query("SELECT handled, recorded FROM seen") == [(1, 1)]
    assert len(await running.stage.all_events(QrDelivered)) == 1


async def test_a_record_that_a_later_release_can_read_is_applied_by_it(
    enter: StartToy, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await enter()
    fact = paid()
    headers = {**header_texts((await running.stage.publish(paid()))[0], fact.paid_at), "ce_id": "a shop's own words"}
    headers["ce_type"] = "payments.order-paid.v9"
    await running.stage.raw(OrderPaid.topic, b"k", fact.model_dump_json().encode(), to_wire(headers))
    [letter] = await running.dead_letters(1)
    for dry_run in (True, False):
        refused = (await running.redrive(ids=[letter], dry_run=dry_run))["refused"][0]["reason"]
        assert refused.startswith("still unreadable (unknown_version)")
    assert (await running.dead_letter(letter))["redrives"] == 1, "a dry run changes nothing"
    monkeypatch.setattr(OrderPaid, "version", 9)
    assert (await running.redrive(ids=[letter], dry_run=True))["taken"] == [letter]
    assert (await running.redrive(filter={"reason": "unknown_version"}))["taken"] == [letter]
    assert await running.query("SELECT handled FROM seen WHERE order_id = :id", id=fact.order_id) == [(1,)]


async def test_redrives_at_the_same_time_apply_a_fact_once(enter: StartToy, monkeypatch: pytest.MonkeyPatch) -> None:
    running = await enter()
    await running.stage.publish(*[paid(toy.POISON) for _ in range(10)])
    ids = await running.dead_letters(10)
    monkeypatch.setattr(toy, "POISON", "nothing")
    outcomes = await asyncio.gather(*[running.redrive(ids=random.sample(ids, 10)) for _ in range(6)])
    assert sorted(one for outcome in outcomes for one in outcome["taken"]) == ids
    assert await running.query("SELECT DISTINCT handled FROM seen") == [(1,)]
    assert (await running.get("/summary"))["dead_letters"] == {"waiting": 0, "redriven": 10, "discarded": 0}


async def test_two_dead_letters_of_one_event_apply_it_once(enter: StartToy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inbox forgets after two weeks: the same event, read again from further down its topic, fails again."""
    running = await enter()
    [sent] = await running.stage.publish(paid(toy.POISON))
    await running.dead_letters(1)
    await running.query("DELETE FROM inbox RETURNING 1")
    await running.stage.republish(sent)
    ids = await running.dead_letters(2)
    monkeypatch.setattr(toy, "POISON", "nothing")
    assert (await running.redrive(ids=ids))["taken"] == ids
    assert await running.query("SELECT handled FROM seen") == [(1,)]
    details = [line["details"]["applied"] for line in (await running.get("/log"))["items"]]
    assert sorted(details) == [False, True]


async def test_a_redrive_that_fails_at_the_commit_leaves_the_dead_letter_waiting(enter: StartToy) -> None:
    broken, lame = True, False

    async def handle(tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        if broken:
            raise ValueError("not yet")
        for one in batch:
            tx.schedule("greet", str(one.event.order_id), {"no JSON": object()} if lame else {})

    running = await enter(handlers={OrderPaid: handle})
    await running.stage.publish(paid())
    [letter] = await running.dead_letters(1)
    broken, lame = False, True
    refused = await running.redrive(ids=[letter])
    assert refused["refused"][0]["reason"].startswith("its handler failed again: TypeError")
    assert (await running.dead_letter(letter))["redrives"] == 1
    assert await running.query("SELECT 1 FROM work") == []
    assert len(await running.query("SELECT 1 FROM inbox")) == 1, "what the failure undid is as it was"


@pytest.mark.parametrize("seed", range(4))
async def test_any_mix_of_redrives_duplicates_and_replays_ends_the_same(
    enter: StartToy, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable sequences, no secrets
    running = await enter()
    bad, good = [paid(toy.POISON) for _ in range(6)], [paid() for _ in range(6)]
    sent = await running.stage.publish(*chance.sample(bad + good, 12))

    async def redrive() -> None:
        found = (await running.get("/dead-letters", state="waiting"))["items"]
        chosen = [item["id"] for item in chance.sample(found, len(found) // 2)]
        if chosen:
            await running.redrive(ids=chosen)

    async def redrive_all() -> None:
        await running.redrive(filter={}, limit=chance.randint(1, 6))

    async def replay() -> None:
        await running.stage.republish(*chance.choices(sent, k=8))

    async def repair() -> None:
        monkeypatch.setattr(toy, "POISON", "nothing")

    await running.dead_letters(chance.randint(1, 6))
    moves = [redrive, redrive_all, replay, redrive, redrive_all, replay, repair, redrive_all]
    chance.shuffle(moves)
    for move in moves:
        await asyncio.gather(move(), replay(), redrive_all())

    async def settled() -> bool:
        await running.redrive(filter={})
        done = await running.query("SELECT count(*), sum(handled) AS h, sum(recorded) AS r FROM seen")
        return bool(done == [(12, 12, 12)])

    await running.stage.eventually(settled)
    assert {one.event.order_id for one in await running.stage.events(QrDelivered, count=12)} == {
        fact.order_id for fact in bad + good
    }
    assert len(await running.stage.all_events(QrDelivered)) == 12
