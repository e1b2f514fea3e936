"""The figures of what waits: each as somebody who is woken by them would check it."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from shared.contracts import OrderPaid
from shared.core_tables import dead_letters, outbox, work
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.messaging.record_batches import Fetched
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


def metric(service: Service, name: str, **labels: str) -> float | None:
    return service.metrics.registry.get_sample_value(name, labels)


async def rows_of_all_ages(tx: Tx) -> None:
    now = tx.now
    common: JsonObject = {"payload": {}, "owner": None, "trace": None, "created_at": now}
    states = [("due", -30, 1), ("due", -10, 0), ("due", 600, 3), ("unknown", -60, 2), ("parked", -90, 0)]
    await tx.insert(
        work,
        [
            common
            | {
                "id": uuid7(),
                "kind": "elsewhere",
                "key": str(number),
                "state": state,
                "attempts": attempts,
                "due_at": now + timedelta(seconds=seconds),
            }
            for number, (state, seconds, attempts) in enumerate(states)
        ],
    )
    # In the future, so that the relay leaves it alone.
    born: JsonObject = {"topic": "x", "key": "k", "value": None, "headers": {}}
    await tx.insert(outbox, [born | {"id": uuid7(), "born_at": now + timedelta(hours=1)}])
    letter: JsonObject = {"partition": 0, "key": None, "detail": "", "headers": {}, "payload": None, "sealed": 0}
    await tx.insert(
        dead_letters,
        [
            letter
            | {
                "id": uuid7(),
                "topic": topic,
                "record_offset": number,
                "reason": reason,
                "received_at": now - timedelta(seconds=seconds),
                "state": state,
            }
            for number, (topic, reason, seconds, state) in enumerate(
                [
                    (OrderPaid.topic, "invalid_body", 100, "waiting"),
                    (OrderPaid.topic, "handler_failed", 200, "waiting"),
                    (OrderPaid.topic, "handler_failed", 900, "discarded"),
                    ("nobody's", "unknown_topic", 50, "waiting"),
                ]
            )
        ],
    )


async def test_work_outbox_and_dead_letters_by_state_and_age(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    async with service.database.transaction() as tx:
        await rows_of_all_ages(tx)
    await service._backlog.count()
    kind = "elsewhere"
    counts = {"due": 2, "scheduled": 1, "unknown": 1, "parked": 1}
    assert counts == {state: metric(service, "work_waiting", kind=kind, state=state) for state in counts}
    ages = {state: metric(service, "work_oldest_seconds", kind=kind, state=state) for state in counts}
    assert ages["scheduled"] == 0
    for state, least in (("due", 30), ("unknown", 60), ("parked", 90)):
        age = ages[state]
        assert age is not None
        assert least <= age < least + 30
    assert metric(service, "work_retrying", kind=kind) == 3
    assert metric(service, "outbox_waiting") == 1
    assert metric(service, "outbox_oldest_seconds") == 0
    waiting = {
        (topic, reason): metric(service, "dead_letters_waiting", topic=topic, reason=reason)
        for topic, reason in [
            (OrderPaid.topic, "invalid_body"),
            (OrderPaid.topic, "handler_failed"),
            ("unknown", "unknown_topic"),
            ("nobody's", "unknown_topic"),
        ]
    }
    assert list(waiting.values()) == [1, 1, 1, None]
    oldest = metric(service, "dead_letters_oldest_seconds", topic=OrderPaid.topic)
    assert oldest is not None
    assert 200 <= oldest < 230


async def test_what_is_gone_is_not_shown_any_more(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    async with service.database.transaction() as tx:
        await rows_of_all_ages(tx)
    await service._backlog.count()
    async with service.database.transaction() as tx:
        for table in ("work", "dead_letters", "outbox"):
            await tx.execute(f"DELETE FROM {table}")
    await service._backlog.count()
    assert metric(service, "work_waiting", kind="elsewhere", state="parked") is None
    assert metric(service, "dead_letters_waiting", topic=OrderPaid.topic, reason="invalid_body") is None
    assert metric(service, "outbox_waiting") == 0


async def test_lag_grows_while_the_consumer_stands_still_and_goes_when_it_goes_on(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    await stage.publish(*[paid() for _ in range(5)])

    async def lag() -> float:
        await service._backlog.measure_lag()
        samples = [s for family in service.metrics.registry.collect() for s in family.samples]
        return sum(sample.value for sample in samples if sample.name == "consumer_lag_records")

    async def caught_up() -> bool:
        return await lag() == 0 and service.metrics.batch._sum.get() == 5

    await stage.eventually(caught_up)
    assert metric(service, "consumer_stalled_seconds") == 0

    go_on = asyncio.Event()
    apply = service.consumer.consume

    async def stuck(records: Sequence[Fetched]) -> None:
        await go_on.wait()
        await apply(records)

    service.consumer.consume = stuck  # type: ignore[method-assign] # a handler that hangs
    await stage.publish(*[paid() for _ in range(7)])

    async def behind() -> bool:
        return await lag() == 7 and bool(metric(service, "consumer_stalled_seconds"))

    await stage.eventually(behind)
    go_on.set()

    async def caught_up_again() -> bool:
        return await lag() == 0 and metric(service, "consumer_stalled_seconds") == 0

    await stage.eventually(caught_up_again)

    # As after a pause, in which another instance had the partitions, applied what was there, and returned them.
    service._backlog._committed.update(dict.fromkeys(service._backlog._committed, 0))
    service._backlog._applying.applied.clear()
    await stage.eventually(caught_up_again)
