"""What can be decided about dead letters and due work, for one service."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from pydantic import SecretStr

from shared.database import Database, is_infrastructure
from shared.operations import dead_letters, stuck
from shared.operations.answers import Decide, Outcome, Refused, Retry
from shared.operations.redriving import NOT_WAITING, Redriver
from shared.tasks import TaskWorker
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: A request answers within this time, whatever was asked: the rest is `left`, and the same request goes on with it.
_LONGEST_SECONDS = 20.0
_UNKNOWN = "there is no such letter (any more)"
_AWAY = "the database did not answer; nothing was changed, try again"


@dataclass(frozen=True)
class OperationsService:
    """A service's own tables, consumer and task worker. `halted` says why it stopped consuming, if it did."""

    name: str
    database: Database
    redriver: Redriver
    task_worker: TaskWorker
    keys: Mapping[str, SecretStr]
    problems: Callable[[], Awaitable[dict[str, str]]]
    halted: Callable[[], str | None]

    async def redrive(self, asked: Decide, who: str) -> Outcome:
        """Apply the chosen letters one by one, each in a transaction of its own."""
        matched, chosen, refused = await self._choose(asked)
        taken: list[UUID] = []
        until = time.monotonic() + _LONGEST_SECONDS
        for letter_id in chosen:
            if time.monotonic() > until:
                break
            try:
                if asked.dry_run:
                    problem = await self.redriver.check(letter_id)
                else:
                    problem = await self.redriver.redrive(letter_id, who, asked.reason)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("redrive_interrupted", error=error)
                refused.append(Refused(id=letter_id, reason=_AWAY))
                break
            if problem is None:
                taken.append(letter_id)
            else:
                refused.append(Refused(id=letter_id, reason=problem))
        return self._outcome(asked, matched, taken, refused)

    async def discard(self, asked: Decide, who: str) -> Outcome:
        """Settle the chosen letters without applying them."""
        matched, chosen, refused = await self._choose(asked)
        taken = chosen
        if chosen and not asked.dry_run:
            async with self.database.transaction() as tx:
                taken = await dead_letters.discard(tx, chosen, who, asked.reason)
        settled = set(taken)
        refused += [Refused(id=one, reason=NOT_WAITING) for one in chosen if one not in settled]
        return self._outcome(asked, matched, taken, refused)

    async def retry(self, asked: Retry, who: str) -> Outcome:
        """Have due work tried now."""
        ids = list(dict.fromkeys(asked.ids))
        async with self.database.transaction() as tx:
            reasons = await stuck.refusals(tx, ids)
            free = [one for one in ids if one not in reasons]
            rows = [] if asked.dry_run else await stuck.retry(tx, free, who, asked.reason)
        self.task_worker.wake({row.kind for row in rows})
        done = set(free) if asked.dry_run else {row.id for row in rows}
        return Outcome(
            service=self.name,
            dry_run=asked.dry_run,
            matched=sum(reasons.get(one) != stuck.GONE for one in ids),
            taken=[one for one in ids if one in done],
            refused=[
                Refused(id=one, reason=reasons.get(one, stuck.HELD), found=reasons.get(one) != stuck.GONE)
                for one in ids
                if one not in done
            ],
            left=0,
        )

    async def _choose(self, asked: Decide) -> tuple[int, list[UUID], list[Refused]]:
        """How many letters match, those to try, and those that were named and do not wait."""
        async with self.database.reading() as tx:
            if asked.filter is not None:
                if asked.filter.service not in (None, self.name):
                    return 0, [], []
                matched, chosen = await dead_letters.matching(tx, asked.filter, asked.limit)
                return matched, chosen, []
            named = list(dict.fromkeys(asked.ids or ()))
            states = await dead_letters.states(tx, named)
        waiting = [one for one, state in states.items() if state == "waiting"]
        others = [
            Refused(id=one, reason=f"it is {states[one]} already" if one in states else _UNKNOWN, found=one in states)
            for one in named
            if states.get(one) != "waiting"
        ]
        return len(waiting), waiting[: asked.limit], others

    def _outcome(self, asked: Decide, matched: int, taken: list[UUID], refused: list[Refused]) -> Outcome:
        tried = len(taken) + len(refused)
        if asked.ids is not None:
            tried -= len(set(asked.ids)) - matched  # those that do not wait were refused without being matched
        return Outcome(
            service=self.name,
            dry_run=asked.dry_run,
            matched=matched,
            taken=taken,
            refused=refused,
            left=max(0, matched - tried),
        )
