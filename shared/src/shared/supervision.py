"""Supervises background tasks: one that ends, or makes no step for 30 s, makes the service unready and is counted.

A recurring task reports its pause (`Loop.repeat`): it stands still when its step has not succeeded within 30 s, over
all attempts, and also when its next step has not begun 30 s after the pause.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics

log = get_logger(__name__)
#: A step that has not succeeded for this long, however often it was tried again, is a standstill.
STALLED_SECONDS = 30.0
#: The longest pause before a failed recurring step is tried again, however long its usual pause is.
AGAIN_SECONDS = 5.0


class Loop:
    """One background task. It reports when a step begins and when it has succeeded; between steps it may wait.

    `allowed_seconds`: how long a step may take, over all its attempts; None: STALLED_SECONDS. `clock`, `sleep`: in
    seconds, as `time.monotonic` and `asyncio.sleep`.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = name
        self.ended: str | None = None
        self.allowed_seconds: float | None = None
        self._clock = clock
        self._sleep = sleep
        self._begun: float | None = None
        self._due: float | None = None
        self._parts: dict[str, Loop] = {}

    def restart(self) -> None:
        """Forget earlier steps: the task is started, perhaps again."""
        for part in self.parts:
            part.ended = part._begun = part._due = None  # noqa: SLF001 - of its own kind

    def begin(self) -> None:
        """A step begins, or is tried again after a failure."""
        self._due = None
        if self._begun is None:
            self._begun = self._clock()

    def succeed(self) -> None:
        """The step has succeeded."""
        self._begun = None

    def progress(self) -> None:
        """A long step makes progress: its time is counted from now."""
        self._begun = self._clock()

    def rest(self, seconds: float) -> None:
        """The next step, or attempt, begins after a pause of so many seconds."""
        self._due = self._clock() + seconds

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step; where the block raises, the step has not succeeded."""
        self.begin()
        yield
        self.succeed()

    async def repeat(self, step: Callable[[], Awaitable[float | None]], every_seconds: float, failure: str) -> None:
        """Repeat this step until cancelled, with a pause after each.

        `step` returns the pause that follows (seconds), or None: `every_seconds`. A step that raises is logged as
        `failure` and tried again soon.
        """
        while True:
            self.begin()
            try:
                requested_pause = await step()
            except Exception as error:  # noqa: BLE001 - tried again; a long failure is a standstill
                log.warning(failure, task=self.name, error=error)
                pause = min(every_seconds, AGAIN_SECONDS)
            else:
                self.succeed()
                pause = every_seconds if requested_pause is None else requested_pause
            self.rest(pause)
            await self._sleep(pause)

    def part(self, name: str) -> "Loop":
        """A part of this task that is supervised by itself, because its other parts may succeed meanwhile."""
        return self._parts.setdefault(name, Loop(f"{self.name}.{name}", self._clock, self._sleep))

    @property
    def parts(self) -> "list[Loop]":
        """The task and its parts."""
        return [self, *self._parts.values()]

    @property
    def seconds(self) -> float:
        """Seconds of the present step, over all attempts, or of the delay of the next one; 0 while it may wait."""
        if self._begun is not None:
            return self._clock() - self._begun
        return 0.0 if self._due is None else max(0.0, self._clock() - self._due)

    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self.ended is not None:
            return f"{self.name}: {self.ended}"
        allowed = STALLED_SECONDS if self._begun is None else self.allowed_seconds or STALLED_SECONDS
        if self.seconds >= allowed:
            return f"{self.name}: no progress for {self.seconds:.0f} s"
        return None


class Supervisor:
    """All background tasks of one service."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._loops: dict[str, Loop] = {}
        self._reported: set[str] = set()

    def loop(self, name: str) -> Loop:
        """The loop of this name, always the same one."""
        return self._loops.setdefault(name, Loop(name))

    def start(self, name: str, work: Coroutine[Any, Any, Any], *, endless: bool = True) -> "asyncio.Task[Any]":
        """Run it in the background. An `endless` one that returns has failed like one that raises."""
        loop = self.loop(name)
        loop.restart()

        def ended(task: "asyncio.Task[Any]") -> None:
            if task.cancelled():
                return
            if (error := task.exception()) is not None:
                loop.ended = f"failed: {error_place(error)}"
                log.error("background_task_failed", task=name, error=error)
            elif endless:
                loop.ended = "has ended"
                log.error("background_task_ended", task=name)

        task = asyncio.create_task(work, name=name)
        task.add_done_callback(ended)
        return task

    def problem(self) -> str | None:
        """What is wrong with any of them, or None."""
        return "; ".join(self.look()) or None

    def look(self) -> list[str]:
        """Every problem; a new one is logged, and the metrics are brought up to date."""
        problems = {}
        for loop in [part for whole in self._loops.values() for part in whole.parts]:
            self._metrics.loops.labels(loop.name).set(float("inf") if loop.ended is not None else loop.seconds)
            if (problem := loop.problem()) is not None:
                problems[loop.name] = problem
        for name in problems.keys() - self._reported:
            log.error("background_task_stands_still", task=name, problem=problems[name])
        self._reported = set(problems)
        return list(problems.values())
