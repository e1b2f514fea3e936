"""A background task that ends, fails or stands still shows in readiness and metrics."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.supervision import AGAIN_SECONDS, STALLED_SECONDS, Loop, Supervisor
from shared.telemetry.metrics import Metrics
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

#: Every task that the kernel runs for a service with one kind of work.
TASKS = {
    "maintenance",
    "relay",
    "outbox.publish",
    "outbox.flush",
    "work",
    "work.leases",
    "work.recording",
    "work.poll",
    "work.watch",
    "work.claim.greet",
    "work.perform.greet",
    "backlog",
    "consuming",
}


def test_a_step_that_does_not_succeed_is_a_standstill_however_often_it_is_tried() -> None:
    now = 0.0
    loop = Loop("relay", lambda: now)
    for _ in range(40):
        now += 1
        loop.begin()
    assert loop.problem() == "relay: no progress for 39 s"
    loop.succeed()
    now += 10 * STALLED_SECONDS
    assert loop.problem() is None, "waiting for something to do is no standstill"


class _Time:
    """A clock that only sleeping moves on. `seen`: what was wrong with the loop before and after each pause."""

    def __init__(self) -> None:
        self.now = 0.0
        self.loop = Loop("hourly", lambda: self.now, self.sleep)
        self.seen: list[str | None] = []
        self.late = 0.0

    async def sleep(self, seconds: float) -> None:
        self.seen.append(self.loop.problem())
        self.now += seconds + self.late
        self.seen.append(self.loop.problem())
        await asyncio.sleep(0)


async def test_a_recurring_task_may_pause_for_as_long_as_it_says() -> None:
    time, steps = _Time(), 0

    async def step() -> float | None:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise asyncio.CancelledError
        return 0.0 if steps == 1 else None

    with pytest.raises(asyncio.CancelledError):
        await time.loop.repeat(step, 3600.0, "failed")
    assert time.now == 2 * 3600.0, "one step asked to be followed at once"
    assert time.seen == [None] * 6


@pytest.mark.parametrize("every", [1.0, 60.0, 3600.0])
async def test_a_recurring_task_that_always_fails_stands_still_whatever_its_pause(every: float) -> None:
    time, tried = _Time(), 0

    async def step() -> None:
        nonlocal tried
        tried += 1
        if time.now > STALLED_SECONDS:
            raise asyncio.CancelledError
        raise KeyError

    with pytest.raises(asyncio.CancelledError):
        await time.loop.repeat(step, every, "failed")
    assert tried >= STALLED_SECONDS / AGAIN_SECONDS, "a failure is tried again soon"
    assert time.loop.problem() == f"hourly: no progress for {time.now:.0f} s"


async def test_a_recurring_task_whose_next_step_does_not_begin_stands_still() -> None:
    time = _Time()
    time.late = STALLED_SECONDS

    async def step() -> None:
        if time.now:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await time.loop.repeat(step, 3600.0, "failed")
    assert time.seen == [None, "hourly: no progress for 30 s"]


async def test_a_part_that_fails_is_seen_though_the_rest_succeeds() -> None:
    supervisor = Supervisor(Metrics())
    now = 0.0
    supervisor._loops["rounds"] = whole = Loop("rounds", lambda: now)
    for _ in range(40):
        now += 1
        with whole.step():
            whole.part("broken").begin()
            with whole.part("whole").step():
                pass
    assert supervisor.look() == ["rounds.broken: no progress for 39 s"]
    assert supervisor._metrics.loops.labels("rounds.broken")._value.get() == 39


async def _fail() -> None:
    raise KeyError


@pytest.mark.parametrize(
    ("work", "words"),
    [
        (lambda: asyncio.sleep(0), "has ended"),
        (_fail, "failed: KeyError"),
    ],
)
async def test_a_task_that_ends_is_a_problem(work: Callable[[], Awaitable[None]], words: str) -> None:
    supervisor = Supervisor(Metrics())
    task = supervisor.start("one", work())  # type: ignore[arg-type] # both are coroutines
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert words in (supervisor.problem() or "")
    assert supervisor._metrics.loops.labels("one")._value.get() == float("inf")


async def test_a_task_that_is_cancelled_is_no_problem() -> None:
    supervisor = Supervisor(Metrics())
    task = supervisor.start("one", asyncio.sleep(100))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert supervisor.problem() is None


async def test_every_task_of_the_kernel_is_supervised(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    assert set(service.supervisor._loops) == TASKS
    running = {task.get_name() for task in asyncio.all_tasks()}
    assert running >= TASKS


async def test_a_task_of_the_kernel_that_hangs_makes_the_service_unready(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await stage.service(toy.build, Settings)
    assert await service.problems() == {}
    monkeypatch.setattr("shared.supervision.STALLED_SECONDS", 1.0)
    monkeypatch.setattr("shared.tasks.leases.store.renew", lambda *_args, **_options: asyncio.sleep(3600))

    async def seen() -> bool:
        return "work.leases: no progress" in (await service.problems()).get("tasks", "")

    await stage.eventually(seen)
