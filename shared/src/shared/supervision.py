"""Supervises background tasks: one that ends, or makes no step for 30 s, makes the service unready and is counted."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics

log = get_logger(__name__)
#: A step that has not succeeded for this long, however often it was tried again, is a standstill.
STALLED_SECONDS = 30.0


class Loop:
    """One background task. It reports when a step begins and when it has succeeded; between steps it may wait."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.ended: str | None = None
        self._clock = clock
        self._begun: float | None = None

    def begin(self) -> None:
        """A step begins, or is tried again after a failure."""
        if self._begun is None:
            self._begun = self._clock()

    def succeed(self) -> None:
        """The step has succeeded."""
        self._begun = None

    @contextmanager
    def step(self) -> Iterator[None]:
        """One step; where the block raises, the step has not succeeded."""
        self.begin()
        yield
        self.succeed()

    @property
    def seconds(self) -> float:
        """How long the present step has taken, over all its attempts; 0 while the task waits for something to do."""
        return 0.0 if self._begun is None else self._clock() - self._begun

    def problem(self) -> str | None:
        """What is wrong with it, or None."""
        if self.ended is not None:
            return f"{self.name}: {self.ended}"
        if self.seconds >= STALLED_SECONDS:
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
        loop.ended = None

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
        for loop in self._loops.values():
            self._metrics.loops.labels(loop.name).set(float("inf") if loop.ended is not None else loop.seconds)
            if (problem := loop.problem()) is not None:
                problems[loop.name] = problem
        for name in problems.keys() - self._reported:
            log.error("background_task_stands_still", task=name, problem=problems[name])
        self._reported = set(problems)
        return list(problems.values())
