"""The toy service on the shared machinery: every fact applied once, every result recorded once, nothing held up."""

import asyncio
import random
from datetime import timedelta

import pytest

from shared import supervision
from shared.contracts import BuyerContact, OrderPaid, QrDelivered
from shared.core_tables import outbox
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.messaging.cloudevents import header_texts, to_wire
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Unknown
from shared.sealed import Sealed
from shared.tasks import Task, worker
from shared.testing.facts import contact, paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

ENVELOPE = {"ce_specversion": "1.0", "ce_id": "1"}


async def count(service: Service, sql: str) -> int:
    async with service.database.reading() as tx:
        return int((await tx.execute(sql)).scalar() or 0)


async def rows(service: Service, sql: str) -> list[tuple[object, ...]]:
    async with service.database.reading() as tx:
        return [tuple(row) for row in (await tx.execute(sql)).all()]


async def test_a_fact_leads_to_a_result_and_leaves_no_rows_behind(stage: Stage) -> None:
    # given: a running service
    service = await stage.service(toy.build, Settings)
    # when: 200 facts arrive
    facts = [paid() for _ in range(200)]
    await stage.publish(*facts)
    # then: each leads to one result, and no task or unpublished event is left
    found = await stage.events(QrDelivered, count=200)
    assert {one.event.order_id for one in found} == {fact.order_id for fact in facts}

    async def empty() -> bool:
        return await count(service, "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM work)") == 0

    await stage.eventually(empty)
    assert await rows(service, "SELECT DISTINCT handled, recorded FROM seen") == [(1, 1)]


async def test_duplicates_and_replays_change_nothing(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    # given: facts that were applied
    sent = await stage.publish(*[paid() for _ in range(50)])
    # when: each is published three more times, in any sequence
    again = sent * 3
    random.shuffle(again)
    await stage.republish(*again)
    last = (await stage.publish(paid()))[0].event
    assert isinstance(last, OrderPaid)
    await stage.events(QrDelivered, where=lambda e: e.order_id == last.order_id)

    async def all_read() -> bool:
        return bool(service.metrics.duplicates._value.get() == 150)

    # then: every copy was read, and none was applied
    await stage.eventually(all_read)
    assert await rows(service, "SELECT count(*), sum(handled) AS h, sum(recorded) AS r FROM seen") == [(51, 51, 51)]
    assert len(await stage.all_events(QrDelivered)) == 51


async def test_bad_records_go_to_the_dead_letters_and_good_ones_pass(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    good = [paid() for _ in range(5)]
    wrong_version = to_wire({**header_texts((await stage.publish(good[0]))[0], good[0].paid_at), "ce_type": "x.v9"})
    poison = paid(toy.POISON)
    topic = OrderPaid.topic
    await asyncio.gather(
        stage.raw(
            topic, b"k", b"{not json", to_wire({"ce_specversion": "1.0", "ce_id": "1", "ce_type": OrderPaid.ce_type()})
        ),
        stage.raw(topic, None, b"", [("ce_id", None), ("x", b"\xff\xfe")]),  # type: ignore[list-item] # null header
        stage.raw(topic, b"\xff", good[1].model_dump_json().encode(), wrong_version),
        stage.publish(poison, *good[1:]),
    )
    found = await stage.events(QrDelivered, count=5)
    assert {one.event.order_id for one in found} == {fact.order_id for fact in good}

    async def four_letters() -> bool:
        return await count(service, "SELECT count(*) FROM dead_letters") == 4

    await stage.eventually(four_letters)
    reasons = {row[0] for row in await rows(service, "SELECT reason FROM dead_letters")}
    assert reasons == {"invalid_body", "not_a_cloudevent", "unknown_version", "handler_failed"}


async def test_personal_records_are_sealed_in_the_dead_letters(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    headers = to_wire(
        {"ce_specversion": "1.0", "ce_id": "1", "ce_type": BuyerContact.ce_type(), "evil": "ann@example.org"}
    )
    await stage.raw(BuyerContact.topic, b"k", b'{"email": "ann@example.org"}', headers)

    async def there() -> bool:
        return await count(service, "SELECT count(*) FROM dead_letters") == 1

    await stage.eventually(there)
    whole = str(await rows(service, "SELECT d::text, convert_from(payload, 'utf8') FROM dead_letters d"))
    assert "ann@" not in whole
    box = (await rows(service, "SELECT convert_from(payload, 'utf8') FROM dead_letters"))[0][0]
    assert b"ann@" in service.opener.open(Sealed(recipient=service.name, box=str(box)))


async def test_a_flood_of_bad_records_stops_the_consumer_and_skips_nothing(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings, dead_letter_limit=5)
    await asyncio.gather(*[stage.raw(OrderPaid.topic, b"k", b"{}", []) for _ in range(20)])

    async def halted() -> bool:
        return "limit 5" in (await service.problems()).get("kafka", "")

    await stage.eventually(halted)
    assert await count(service, "SELECT count(*) FROM dead_letters") <= 5


async def test_tombstones_reach_their_handler(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    fact = contact()
    (sent,) = await stage.publish(fact)
    headers = {**header_texts(sent, fact.updated_at), "ce_id": "another"}
    await stage.raw(BuyerContact.topic, fact.key().encode(), None, to_wire(headers))

    async def erased() -> bool:
        return bool(service.app.state.erased == [fact.key()])

    await stage.eventually(erased)


async def test_a_tombstone_ends_dead_letters_of_its_key_and_no_others(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    for key in (b"one", b"another"):
        await stage.raw(BuyerContact.topic, key, b"{}", [])

    async def put_aside(letters: int) -> bool:
        return await count(service, "SELECT count(*) FROM dead_letters") == letters

    await stage.eventually(lambda: put_aside(2))
    async with service.database.transaction() as tx:
        tx.erase(BuyerContact, "one", trace=None)
    await stage.eventually(lambda: put_aside(1))
    assert await rows(service, "SELECT key FROM dead_letters") == [("another",)]


async def test_a_tombstone_goes_out_like_a_fact(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    fact = contact()
    async with service.database.transaction() as tx:
        tx.erase(BuyerContact, fact.key(), trace=None)

    async def erased() -> bool:
        return bool(service.app.state.erased == [fact.key()])

    await stage.eventually(erased)


async def test_the_relay_finds_a_tombstone_that_a_crash_left_behind(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    fact = contact()
    identity = uuid7()  # above the relay's watermark
    row = {
        "id": identity,
        "topic": BuyerContact.topic,
        "key": fact.key(),
        "value": None,
        "headers": {"ce_specversion": "1.0", "ce_id": str(identity), "ce_type": BuyerContact.ce_type()},
        "born_at": fact.updated_at,
    }
    async with service.database.transaction() as tx:
        await tx.insert(outbox, [row])

    async def erased() -> bool:
        return bool(service.app.state.erased == [fact.key()])

    await stage.eventually(erased)


class Outside:
    """A system outside whose first calls end with the given outcomes."""

    def __init__(self, *endings: Outcome[None] | Exception) -> None:
        self._endings = list(endings)
        self.uncertain: list[bool] = []

    async def __call__(self, task: Task[toy.Greeting]) -> Outcome[None]:
        self.uncertain.append(task.uncertain)
        ending = self._endings.pop(0) if self._endings else Done(None)
        if isinstance(ending, Exception):
            raise ending
        return ending


@pytest.mark.parametrize(
    ("endings", "seen"),
    [
        ((NotSent("busy"), NotSent("busy")), [False, False, False]),
        ((Unknown("reply lost"),), [False, True]),
        ((RuntimeError("a bug of ours"),), [False, True]),
        ((Unknown("lost"), NotSent("busy")), [False, True, True]),
    ],
)
async def test_a_task_is_repeated_and_uncertain_after_an_unknown_outcome(
    stage: Stage, endings: tuple[Outcome[None] | Exception, ...], seen: list[bool]
) -> None:
    outside = Outside(*endings)
    service = await stage.service(lambda settings: toy.build(settings, call=outside), Settings)
    await stage.publish(paid())
    await stage.events(QrDelivered)
    assert outside.uncertain == seen
    assert await rows(service, "SELECT recorded FROM seen") == [(1,)]


async def test_a_task_that_needs_a_person_is_parked_and_not_repeated(stage: Stage) -> None:
    outside = Outside(NeedsPerson("two answers that contradict each other"))
    service = await stage.service(lambda settings: toy.build(settings, call=outside), Settings)
    await stage.publish(paid())

    async def parked() -> bool:
        return await rows(service, "SELECT state FROM work") == [("parked",)]

    await stage.eventually(parked)
    await stage.publish(paid())
    await stage.events(QrDelivered)
    assert outside.uncertain == [False, False]


async def test_a_timer_does_not_count_as_an_attempt(stage: Stage) -> None:
    outside = Outside(NotDue(timedelta(milliseconds=50)), NotDue(timedelta(milliseconds=50)))
    attempts: list[int] = []

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        attempts.append(task.attempts)
        return await outside(task)

    await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    await stage.publish(paid())
    await stage.events(QrDelivered)
    assert attempts == [0, 0, 0]


async def test_two_instances_share_the_tasks_and_perform_each_once(stage: Stage) -> None:
    first = await stage.service(toy.build, Settings)
    await stage.service(toy.build, Settings, database_url=first.settings.database_url)
    facts = [paid() for _ in range(300)]
    await stage.publish(*facts)
    await stage.events(QrDelivered, count=300)
    assert await rows(first, "SELECT count(*), sum(handled) AS h, sum(recorded) AS r FROM seen") == [(300, 300, 300)]
    assert len(await stage.all_events(QrDelivered)) == 300


async def test_tasks_without_room_are_claimed_as_soon_as_there_is_room(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tasks above the capacity of a process wait in the table, and are claimed without waiting for the next poll."""
    for pause in ("POLL_SECONDS", "_LONGEST_PAUSE"):
        monkeypatch.setattr(worker, pause, 3600.0)
    go_on = asyncio.Event()

    async def call(_task: Task[toy.Greeting]) -> Outcome[None]:
        await go_on.wait()
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    await stage.publish(*[paid() for _ in range(2500)])

    async def all_there() -> bool:
        return await count(service, "SELECT count(*) FROM work") == 2500

    await stage.eventually(all_there)
    assert await count(service, "SELECT count(*) FROM work WHERE owner IS NULL") >= 1000
    go_on.set()
    assert len(await stage.events(QrDelivered, count=2500)) == 2500


class Hanging:
    """The other side of the calls: never answers before `answers` is set. `stubborn`: it ignores being cancelled."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.answers = asyncio.Event()
        self.uncertain: list[bool] = []
        self._stubborn = stubborn

    async def __call__(self, task: Task[toy.Greeting]) -> Outcome[None]:
        self.uncertain.append(task.uncertain)
        while not self.answers.is_set():
            try:
                await self.answers.wait()
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise
        return Done(None)


def stalls(service: Service) -> bool:
    return any(problem.startswith("work.perform.greet:") for problem in service.supervisor.look())


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "ATTEMPT_SECONDS", 0.3)
    monkeypatch.setattr(worker, "WATCH_SECONDS", 0.05)
    monkeypatch.setattr(supervision, "STALLED_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
async def test_an_attempt_that_hangs_is_ended_and_its_outcome_is_unknown(stage: Stage) -> None:
    hanging, outside = Hanging(), Outside()

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        return await (outside if hanging.uncertain else hanging)(task)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    await stage.publish(paid())
    await stage.events(QrDelivered)
    assert (hanging.uncertain, outside.uncertain) == ([False], [True])
    assert service.metrics.hung.labels("greet")._value.get() == 1
    assert not stalls(service)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_service_whose_attempts_all_hang_is_unready_until_one_ends(stage: Stage, stubborn: bool) -> None:
    hanging = Hanging(stubborn=stubborn)
    service = await stage.service(lambda settings: toy.build(settings, call=hanging), Settings)

    async def unready() -> bool:
        return stalls(service)

    async def ready() -> bool:
        return not stalls(service)

    await stage.publish(*[paid() for _ in range(toy.Greet.concurrency)])
    await stage.eventually(unready)
    assert service.metrics.hung.labels("greet")._value.get() >= toy.Greet.concurrency
    hanging.answers.set()
    await stage.publish(paid())
    await stage.eventually(ready)
    await stage.events(QrDelivered, count=toy.Greet.concurrency + 1)
    assert await count(service, "SELECT max(recorded) FROM seen") == 1


async def test_a_lost_lease_fences_the_result(stage: Stage) -> None:
    """A worker whose lease expires during a call changes nothing; the next attempt is uncertain."""
    entered, go_on = asyncio.Event(), asyncio.Event()
    uncertain: list[bool] = []

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        uncertain.append(task.uncertain)
        if len(uncertain) == 1:
            entered.set()
            await go_on.wait()
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    await stage.publish(paid())
    await asyncio.wait_for(entered.wait(), 60)
    async with service.database.transaction("work") as tx:
        await tx.execute("UPDATE instances SET expires_at = clock_timestamp() - interval '1 second'")
    await stage.events(QrDelivered)
    go_on.set()

    async def fenced() -> bool:
        return bool(service.metrics.fenced._value.get() == 1)

    await stage.eventually(fenced)
    assert uncertain == [False, True]
    assert await rows(service, "SELECT recorded FROM seen") == [(1,)]
    assert len(await stage.all_events(QrDelivered)) == 1
