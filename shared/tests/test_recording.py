"""A result that cannot be recorded is parked, with a reason, and delays no other."""

from collections.abc import Sequence

import pytest

from shared.contracts import QrDelivered
from shared.database import Tx
from shared.kernel.service import Service
from shared.outcomes import Done, NotSent, Outcome, Unknown
from shared.tasks import Task, TaskResult
from shared.testing.documents import Row
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

BAD = ("a NUL \x00", "a lone surrogate \ud800")


async def work(service: Service, sql: str = "SELECT key, state, last_error FROM work") -> list[Row]:
    async with service.database.reading() as tx:
        return list(await tx.execute(sql))


@pytest.mark.parametrize("words", BAD)
@pytest.mark.parametrize("outcome", [NotSent, Unknown])
async def test_a_reason_that_cannot_be_stored_delays_no_other_task(
    stage: Stage, words: str, outcome: type[NotSent | Unknown]
) -> None:
    orders = [paid() for _ in range(12)]
    poison = str(orders[0].order_id)

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        return outcome(words) if task.key == poison else Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    await stage.publish(*orders)
    await stage.events(QrDelivered, count=11)

    async def waiting() -> bool:
        rows = await work(service)
        return [row.key for row in rows] == [poison] and rows[0].last_error is not None

    await stage.eventually(waiting)
    [row] = await work(service)
    assert "\ufffd" in row.last_error


@pytest.mark.parametrize("words", BAD)
async def test_a_result_that_cannot_be_recorded_at_all_is_parked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    orders = [paid() for _ in range(12)]
    poison = str(orders[0].order_id)
    record = toy.Greet.record

    async def spoilt(self: toy.Greet, tx: Tx, results: Sequence[TaskResult[None, toy.Greeting]]) -> None:
        await record(self, tx, results)
        if any(result.task.key == poison for result in results):
            await tx.execute("UPDATE seen SET recorded = 1 WHERE CAST(:words AS text) = 'x'", words=words)

    monkeypatch.setattr(toy.Greet, "record", spoilt)
    service = await stage.service(toy.build, Settings)
    await stage.publish(*orders)
    await stage.events(QrDelivered, count=11)

    async def parked() -> bool:
        rows = await work(service)
        return [(row.key, row.state) for row in rows] == [(poison, "parked")]

    await stage.eventually(parked)
    [row] = await work(service)
    assert row.last_error.startswith("its result cannot be recorded: ")
    assert await service.problems() == {}
    more = [paid() for _ in range(3)]
    await stage.publish(*more)
    await stage.events(QrDelivered, count=14)
