"""Decisions about dead letters and tasks of one service: redrive, discard, retry."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from shared.database import Database, is_infrastructure
from shared.operations import dead_letters, stuck
from shared.operations.answers import Decide, DecisionResult, RefusedId, Retry
from shared.operations.redriving import NOT_WAITING, Redriver
from shared.tasks import TaskWorker
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: A request is answered within this time: the rest is `left`, and the same request sent again continues with it.
_LONGEST_SECONDS = 20.0
_NO_SUCH = "there is no such letter (any more)"
_UNAVAILABLE = "the database did not answer; nothing was changed, try again"


@dataclass(frozen=True)
class OperationsService:
    """Acts on a service's own tables, consumer and task worker. `halted` is why it stopped consuming, if it did."""

    name: str
    database: Database
    redriver: Redriver
    task_worker: TaskWorker
    problems: Callable[[], Awaitable[dict[str, str]]]
    halted: Callable[[], str | None]

    async def redrive(self, request: Decide, who: str) -> DecisionResult:
        """Apply the chosen dead letters one by one, each in a transaction of its own."""
        matched, chosen, refused = await self._choose(request)
        taken: list[UUID] = []
        until = time.monotonic() + _LONGEST_SECONDS
        for letter_id in chosen:
            if time.monotonic() > until:
                break
            try:
                if request.dry_run:
                    problem = await self.redriver.check(letter_id)
                else:
                    problem = await self.redriver.redrive(letter_id, who, request.reason)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("redrive_interrupted", error=error)
                refused.append(RefusedId(id=letter_id, reason=_UNAVAILABLE))
                break
            if problem is None:
                taken.append(letter_id)
            else:
                refused.append(RefusedId(id=letter_id, reason=problem))
        return self._result(request, matched, taken, refused)

    async def discard(self, request: Decide, who: str) -> DecisionResult:
        """Decide the chosen dead letters without applying them."""
        matched, chosen, refused = await self._choose(request)
        taken = chosen
        if chosen and not request.dry_run:
            async with self.database.transaction() as tx:
                taken = await dead_letters.discard(tx, chosen, who, request.reason)
        settled = set(taken)
        refused += [RefusedId(id=letter_id, reason=NOT_WAITING) for letter_id in chosen if letter_id not in settled]
        return self._result(request, matched, taken, refused)

    async def retry(self, request: Retry, who: str) -> DecisionResult:
        """Perform tasks now."""
        ids = list(dict.fromkeys(request.ids))
        async with self.database.transaction() as tx:
            reasons = await stuck.refusals(tx, ids)
            free = [task_id for task_id in ids if task_id not in reasons]
            rows = [] if request.dry_run else await stuck.retry(tx, free, who, request.reason)
        self.task_worker.wake({row.kind for row in rows})
        done = set(free) if request.dry_run else {row.id for row in rows}
        return DecisionResult(
            service=self.name,
            dry_run=request.dry_run,
            matched=sum(reasons.get(task_id) != stuck.GONE for task_id in ids),
            taken=[task_id for task_id in ids if task_id in done],
            refused=[
                RefusedId(id=task_id, reason=reasons.get(task_id, stuck.HELD), found=reasons.get(task_id) != stuck.GONE)
                for task_id in ids
                if task_id not in done
            ],
            left=0,
        )

    async def _choose(self, request: Decide) -> tuple[int, list[UUID], list[RefusedId]]:
        """How many dead letters match, which to try, and which of the named ones do not wait."""
        async with self.database.reading() as tx:
            if request.filter is not None:
                if request.filter.service not in (None, self.name):
                    return 0, [], []
                matched, chosen = await dead_letters.matching(tx, request.filter, request.limit)
                return matched, chosen, []
            named = list(dict.fromkeys(request.ids or ()))
            states = await dead_letters.states(tx, named)
        waiting = [letter_id for letter_id, state in states.items() if state == "waiting"]
        others = [
            RefusedId(
                id=letter_id,
                reason=f"it is {states[letter_id]} already" if letter_id in states else _NO_SUCH,
                found=letter_id in states,
            )
            for letter_id in named
            if states.get(letter_id) != "waiting"
        ]
        return len(waiting), waiting[: request.limit], others

    def _result(self, request: Decide, matched: int, taken: list[UUID], refused: list[RefusedId]) -> DecisionResult:
        tried = len(taken) + len(refused)
        if request.ids is not None:
            tried -= len(set(request.ids)) - matched  # those that do not wait were refused without being matched
        return DecisionResult(
            service=self.name,
            dry_run=request.dry_run,
            matched=matched,
            taken=taken,
            refused=refused,
            left=max(0, matched - tried),
        )
