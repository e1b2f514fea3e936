"""Records the outcomes of tasks in groups: many results, one transaction.

A group that cannot be recorded is split: each result and each setback is then recorded alone, so that one of them
cannot hold up the others. A result that cannot be recorded at all is parked for a person.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from shared.database import Database, is_infrastructure, storable
from shared.supervision import Loop
from shared.tasks import store
from shared.tasks.models import TaskResult
from shared.tasks.queue import TaskQueue
from shared.tasks.store import Setback
from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics

log = get_logger(__name__)
_GROUP = 500
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
#: Fits the column, whatever number was the cause.
_MOST_ATTEMPTS = 10**6
Result = tuple[TaskQueue, TaskResult[Any, Any]]


class ResultRecorder:
    """Writes results and setbacks of the tasks that `owner` holds now."""

    def __init__(self, database: Database, metrics: Metrics, owner: Callable[[], UUID]) -> None:
        self._database = database
        self._metrics = metrics
        self._owner = owner
        self._results: list[Result] = []
        self._setbacks: list[Setback] = []
        self._added = asyncio.Event()
        self._busy = False

    @property
    def pending(self) -> bool:
        """Whether anything is not recorded yet."""
        return bool(self._results or self._setbacks or self._busy)

    def add_result(self, queue: TaskQueue, result: TaskResult[Any, Any]) -> None:
        """Record a final outcome. The queue holds its task until then."""
        self._results.append((queue, result))
        self._added.set()

    def add_setback(self, setback: Setback) -> None:
        """Set a task back: it is performed again, or parked."""
        self._setbacks.append(setback)
        self._added.set()

    async def run(self, loop: Loop) -> None:
        """Record until cancelled."""
        while True:
            await self._added.wait()
            self._added.clear()
            while self._results or self._setbacks:
                results, self._results = self._results[:_GROUP], self._results[_GROUP:]
                setbacks, self._setbacks = self._setbacks, []
                self._busy = True
                try:
                    with loop.step():
                        await self._record_group(results, setbacks)
                finally:
                    self._busy = False

    async def _record_group(self, results: Sequence[Result], setbacks: Sequence[Setback]) -> None:
        """Try until it is recorded: what the other side did must not be forgotten while this process runs."""
        try:
            await self._commit_patiently(results, setbacks)
        except Exception as error:  # noqa: BLE001 - one of them is the cause: each is tried by itself
            log.warning("result_group_split", error=error, results=len(results), setbacks=len(setbacks))
            for result in results:
                await self._record_alone(result)
            for setback in setbacks:
                await self._set_back_alone(setback)
        for queue, finished in results:
            if finished.task.span:
                finished.task.span.end()
            queue.forget(finished.task)

    async def _commit_patiently(self, results: Sequence[Result], setbacks: Sequence[Setback]) -> None:
        """Commit, however long the database is unavailable. Raises every other error."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._commit(results, setbacks)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("recording_postponed", error=error, results=len(results))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    async def _record_alone(self, result: Result) -> None:
        _, finished = result
        task = finished.task
        try:
            await self._commit_patiently([result], [])
        except Exception as error:  # noqa: BLE001 - the call was made; a person decides what became of it
            log.error("result_not_recorded", kind=task.kind, key=task.key, error=error_place(error))  # noqa: TRY400 - no words of exceptions in logs
            self._metrics.work.labels(task.kind, "parked").inc()
            reason = storable(f"its result cannot be recorded: {error_place(error)}")
            now = self._database.clock.now()
            await self._set_back_alone(Setback(task.id, "parked", now, reason, task.attempts + 1))

    async def _set_back_alone(self, setback: Setback) -> None:
        try:
            await self._commit_patiently([], [setback])
        except Exception as error:  # noqa: BLE001 - without any text from outside it can be stored
            log.error("setback_not_recorded", task=str(setback.task_id), error=error_place(error))  # noqa: TRY400 - as above
            reason, attempts = f"not stored: {error_place(error)}", min(setback.attempts, _MOST_ATTEMPTS)
            await self._commit_patiently([], [Setback(setback.task_id, "parked", setback.due_at, reason, attempts)])

    async def _commit(self, results: Sequence[Result], setbacks: Sequence[Setback]) -> None:
        owner = self._owner()
        async with self._database.transaction("work") as tx:
            await store.postpone(tx, setbacks, owner)
            still_ours: set[UUID] = set()
            if results:
                still_ours = await store.finish(tx, [result.task.id for _, result in results], owner)
            by_kind: dict[str, tuple[TaskQueue, list[TaskResult[Any, Any]]]] = {}
            for queue, result in results:
                if result.task.id in still_ours:
                    by_kind.setdefault(result.task.kind, (queue, []))[1].append(result)
            for _, (queue, group) in sorted(by_kind.items()):
                await queue.handler.record(tx, group)
        self._metrics.transactions.labels("work").inc()
        for kind, (_, group) in by_kind.items():
            self._metrics.work.labels(kind, "done").inc(len(group))
        if fenced := len(results) - len(still_ours):
            self._metrics.fenced.inc(fenced)
            log.warning("results_fenced", count=fenced)
