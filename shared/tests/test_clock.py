"""A machine whose clock is wrong: the database's counts."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.clock import DatabaseClock
from shared.outcomes import NotSent, Outcome
from shared.tasks import Task
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Wrong:
    """A system clock that is some hours ahead, or behind."""

    def __init__(self, hours: float) -> None:
        self.hours = hours

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(hours=self.hours)


class Fixed:
    def now(self) -> datetime:
        return NOON


def test_between_two_comparisons_the_monotonic_clock_counts() -> None:
    seconds = 100.0
    clock = DatabaseClock(Fixed(), lambda: seconds)
    assert clock.now() == NOON, "not compared yet"
    assert clock.compare(NOON - timedelta(hours=6), 99.0, 100.0) == pytest.approx(6 * 3600 - 0.5)
    assert clock.now() == NOON - timedelta(hours=6) + timedelta(seconds=0.5)
    seconds = 160.0
    assert clock.now() == NOON - timedelta(hours=6) + timedelta(seconds=60.5)


@pytest.mark.parametrize(("late", "jumps"), [(0.4, False), (-0.4, False), (0.6, True), (-3600.0, True)])
def test_what_lies_within_the_time_of_the_answer_moves_nothing(late: float, jumps: bool) -> None:
    seconds = 100.0
    clock = DatabaseClock(Fixed(), lambda: seconds)
    clock.compare(NOON, 100.0, 100.0)
    seconds = 200.0
    before = clock.now()
    clock.compare(NOON + timedelta(seconds=99.5 + late), 199.0, 200.0)
    assert (clock.now() != before) is jumps


@pytest.mark.parametrize("hours", [6.0, -6.0])
async def test_a_task_is_postponed_by_the_databases_time(stage: Stage, hours: float) -> None:
    async def call(_task: Task[toy.Greeting]) -> Outcome[None]:
        return NotSent("not reached", timedelta(seconds=5))

    clock = DatabaseClock(Wrong(hours))
    service = await stage.service(lambda settings: toy.build(settings, clock=clock, call=call), Settings)
    order = paid()
    async with service.database.transaction() as tx:
        tx.schedule("greet", str(order.order_id), toy.Greeting(order=order))
    due = "SELECT extract(epoch FROM due_at - now()) AS seconds FROM work WHERE attempts > 0"

    async def postponed() -> bool:
        async with service.database.reading() as read:
            rows = (await read.execute(due)).scalars()
        return bool(rows) and -60 < rows[0] < 60

    await stage.eventually(postponed)
    [ahead] = [
        sample.value
        for family in service.metrics.registry.collect()
        for sample in family.samples
        if sample.name == "system_clock_ahead_seconds"
    ]
    assert ahead == pytest.approx(hours * 3600, abs=60)
