"""Timers and polls: a loop finds the profiles that are due, the job `observe` looks at each, and ends those whose time
is over (RC 7).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from uuid import UUID

from provisioning.clients import models as op
from provisioning.clients.models import Cancelled
from provisioning.clients.reports import Report
from provisioning.lifecycle import store
from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import OperatorAnswer, operator_of_profile, query_operator
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import ends_at
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from provisioning.settings import LifecycleSettings
from shared.contracts import ProfileExpired
from shared.database import Database, Tx
from shared.supervision import Loop
from shared.tasks import Later, NotNow, Task, TaskResult, Unknown
from shared.tasks.worker import backoff
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_MOST = 500
#: So often an operator that does not answer is asked before a plan's end is taken for what it is; no call is needed.
_LOOKS_AT_THE_END = 5
_POLITE = timedelta(minutes=15)
_UNDECIDED = timedelta(days=7)
_DUE = """
WITH due AS (
  SELECT l.order_id, p.operator FROM lives l JOIN profiles p USING (order_id)
  WHERE l.look_at <= :now AND p.operator = ANY(CAST(:operators AS text[]))
  ORDER BY l.look_at LIMIT :most FOR UPDATE OF l SKIP LOCKED)
UPDATE lives l SET look_at = NULL FROM due WHERE l.order_id = due.order_id
RETURNING l.order_id, l.trace, due.operator
"""
_EXPIRE = """
UPDATE lives l SET expired_at = :now, expired_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r(order_id, reason)
WHERE l.order_id = r.order_id AND l.expired_at IS NULL AND l.revoked_at IS NULL RETURNING l.order_id
"""

Reason = Literal["never_activated", "plan_ended"]


class DueProfiles:
    """Finds what is due: a loop of each instance, since a row that is due every few seconds would cost more."""

    def __init__(self, operators: Operators, database: Database, every_seconds: float) -> None:
        self._operators = operators
        self._database = database
        self._every_seconds = every_seconds

    async def run(self, loop: Loop) -> None:
        """Look every few seconds, at once again where there may be more. Until cancelled."""
        await loop.repeat(self._look, self._every_seconds, "watch_failed")

    async def _look(self) -> float:
        """Begin what is due; the pause until the next look."""
        async with self._database.transaction("watch") as tx:
            found = await self._begin(tx)
        return self._every_seconds if found < _MOST else 0.0

    async def _begin(self, tx: Tx) -> int:
        """A piece of work for each profile that is due."""
        names = list(self._operators.names)
        due = (await tx.execute(_DUE, now=tx.now, most=_MOST, operators=names)).all()
        for row in due:
            tx.schedule(self._operators.kind("observe", row.operator), str(row.order_id), {}, trace=row.trace)
        return len(due)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look came to. `over`: the profile's time is over, and nobody can use it any more; `how` says why.

    `undecided`: a phone has it, and whether it was activated in time is not known: it is looked at again later.
    """

    told: SourcedReport | None = None
    over: Reason | None = None
    how: str = ""
    undecided: bool = False


class Observe:
    """Looks at one profile."""

    def __init__(
        self,
        operators: Operators,
        kind: str,
        settings: LifecycleSettings,
        database: Database,
        observations: Observations,
    ) -> None:
        self.kind = kind
        self.concurrency = settings.observe_concurrency
        self._operators = operators
        self._skew = timedelta(seconds=settings.clock_skew_seconds)
        self._database = database
        self._observations = observations

    async def perform(self, task: Task) -> Seen:
        """Ask the operator. A profile whose time is over is asked about once more before it is ended."""
        async with self._database.reading() as tx:
            life = (await store.issued_profiles(tx, [UUID(task.key)])).get(UUID(task.key))
        if life is None or life.ended():
            return Seen()
        now = self._database.clock.now()
        end = ends_at(life.course())
        answer = await query_operator(self._operators, life, now=now, trace=task.continues)
        if isinstance(answer, op.NotNow):
            return self._unreached(task, life, answer, over=end is not None and end <= now)
        known = life.known
        if answer.told is not None:
            known, _ = judge(known, answer.told.report, now=now, sold_at=life.paid_at, skew=self._skew)
        course = life.course(known)
        end = ends_at(course)
        if course.ended or end is None or end > now:
            return Seen(answer.told)
        if course.activated_at is not None:
            return Seen(answer.told, "plan_ended", "the plan's validity is over")
        return await self._end(task, life, answer)

    def _unreached(self, task: Task, life: IssuedProfile, answer: op.NotNow, *, over: bool) -> Seen:
        if not over:
            # Not even a polite poll is repeated at once: the next one comes by the schedule.
            if answer.asked:
                return Seen()
            raise Later(timedelta(seconds=max(answer.retry_after or 0.0, 5.0)), answer.reason)
        if life.facts.activated_at is not None and task.attempts >= _LOOKS_AT_THE_END:
            return Seen(over="plan_ended", how="the plan's validity is over; the operator did not answer")
        raise NotNow(answer.reason, delay=min(backoff(task.attempts + 3), _POLITE))

    async def _end(self, task: Task, life: IssuedProfile, answer: OperatorAnswer) -> Seen:
        """Nobody activated it in time (RC 7). It ends also where a phone holds it unused and it cannot be cancelled.

        Where a phone has it and the operator does not say that it is unused, nobody knows: a plan may be running, at
        the longest until its days have passed since the last moment at which it could begin.
        """
        cancelled = await operator_of_profile(self._operators, life).cancel(
            life.ref(uncertain=task.uncertain), trace=task.continues
        )
        match cancelled:
            case Cancelled(how):
                return Seen(answer.told, "never_activated", how)
            case op.Refused(reason):
                if answer.told is not None and _says_unused(answer.told.report):
                    return Seen(answer.told, "never_activated", reason)
                if self._database.clock.now() >= life.valid_until + timedelta(days=life.validity_days):
                    return Seen(answer.told, "plan_ended", f"its last possible day is over: {reason}")
                return Seen(answer.told, undecided=True)
            case op.NotNow(reason):
                raise NotNow(reason, delay=min(backoff(task.attempts + 3), _POLITE))
        raise Unknown(cancelled.reason, delay=min(backoff(task.attempts + 3), _POLITE))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Seen]]) -> None:
        """Keep what was said, end what is over, and say when to look again."""
        told = [one.result.told for one in done if one.result.told is not None]
        known = await self._observations.record_observation(tx, told)
        over = {UUID(one.task.key): one.result for one in done if one.result.over}
        await self._expire(tx, over)
        undecided = {UUID(one.task.key) for one in done if one.result.undecided}
        rest = {UUID(one.task.key) for one in done} - known.keys()
        lives = await store.issued_profiles(tx, rest | over.keys() | undecided, lock=True)
        later = tx.now + _UNDECIDED
        looks = {
            key: (life.known, later if key in undecided else self._observations.next_query_at(life, None, tx.now), None)
            for key, life in lives.items()
        }
        await store.save(tx, looks)

    async def _expire(self, tx: Tx, over: dict[UUID, Seen]) -> None:
        """End them, unless something was extended, revoked or ended in the meantime."""
        if not over:
            return
        reasons = {}
        for key, life in (await store.issued_profiles(tx, over, lock=True)).items():
            reason, end = over[key].over, life.plan_ends_at
            if reason == "never_activated" or end is None or end <= tx.now:
                reasons[key] = reason
        ids = sorted(reasons, key=lambda one: one.int)
        ended = await tx.execute(_EXPIRE, now=tx.now, ids=ids, reasons=[reasons[one] for one in ids])
        for key, life in (await store.issued_profiles(tx, ended.scalars())).items():
            expired = ProfileExpired(**life.subject(), reason=reasons[key], expired_at=life.expired_at or tx.now)
            tx.publish(expired, trace=life.trace)
            log.info("profile_expired", order_id=str(key), reason=reasons[key], how=over[key].how)


def _says_unused(report: Report) -> bool:
    """Whether the operator says now that nobody uses it: it names a state before use, or 0 bytes."""
    return report.install in ("released", "downloaded", "installed") or report.used_bytes == 0
