"""Task `observe`: queries the operator about a profile that is due, and expires it where its time is over (RC 7).

A loop of each instance finds the profiles that are due and schedules the task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from provisioning.clients.models import Cancellation, OperatorNotSent, OperatorRefused, OperatorUnknown
from provisioning.clients.reports import Report
from provisioning.lifecycle import store
from provisioning.lifecycle.models.notices import EndReason
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.notices import Notices
from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import operator_of, query_operator
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import ends_at
from provisioning.operators import Operators
from provisioning.settings import LifecycleSettings
from shared.contracts import ProfileExpired
from shared.database import Database, Tx
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Unknown
from shared.supervision import Loop
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.tasks.worker import backoff
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_MOST = 500
#: How often an unreachable operator is queried before a plan ends as scheduled; ending it needs no call.
_QUERIES_AT_THE_END = 5
_LONGEST_PAUSE = timedelta(minutes=15)
_SHORTEST_WAIT = timedelta(seconds=5)
_UNDECIDED = timedelta(days=7)


class DueProfiles:
    """Finds profiles that are due: a loop of each instance, since a task that is due every few seconds costs more."""

    def __init__(self, operators: Operators, database: Database, every_seconds: float) -> None:
        self._operators = operators
        self._database = database
        self._every_seconds = every_seconds

    async def run(self, loop: Loop) -> None:
        """Check every few seconds, and at once again where there may be more. Until cancelled."""
        await loop.repeat(self._check, self._every_seconds, "due_profiles_not_scheduled")

    async def _check(self) -> float:
        """Schedule a task for each profile that is due; returns the seconds until the next check."""
        async with self._database.transaction("watch") as tx:
            due = await store.take_due(tx, self._operators.names, _MOST)
            for profile in due:
                kind = self._operators.kind("observe", profile.operator)
                tx.schedule(kind, str(profile.order_id), NoPayload(), trace=profile.trace)
        return self._every_seconds if len(due) < _MOST else 0.0


@dataclass(frozen=True, slots=True)
class Observation:
    """Result of a query. `expired`: the profile's time is over and nobody can use it any more; `how` says why.

    `undecided`: a phone has the profile, and it is unknown whether it was activated in time. It is queried again later.
    """

    report: SourcedReport | None = None
    expired: EndReason | None = None
    how: str = ""
    undecided: bool = False


ObserveResult = TaskResult[Observation, NoPayload]


class Observe:
    """Queries profiles of one operator. The task's key is the order's id."""

    payload = NoPayload

    def __init__(
        self,
        operators: Operators,
        kind: str,
        settings: LifecycleSettings,
        database: Database,
        observations: Observations,
        notices: Notices,
    ) -> None:
        self.kind = kind
        self.concurrency = settings.observe_concurrency
        self._operators = operators
        self._skew = timedelta(seconds=settings.clock_skew_seconds)
        self._database = database
        self._observations = observations
        self._notices = notices

    async def perform(self, task: Task[NoPayload]) -> Outcome[Observation]:
        """Query the operator. A profile whose time is over is queried once more before it expires."""
        order_id = UUID(task.key)
        async with self._database.reading() as tx:
            profile = (await store.issued_profiles(tx, [order_id])).get(order_id)
        if profile is None or profile.ended():
            return Done(Observation())
        now = self._database.clock.now()
        outcome = await query_operator(self._operators, profile, now=now, trace=task.continues)
        if not isinstance(outcome, Done):
            end = ends_at(profile.course())
            return self._without_answer(task, profile, outcome, over=end is not None and end <= now)
        report, known = outcome.value, profile.known
        if report is not None:
            known, _ = judge(known, report.report, now=now, sold_at=profile.paid_at, skew=self._skew)
        course = profile.course(known)
        end = ends_at(course)
        if course.ended or end is None or end > now:
            return Done(Observation(report))
        if course.activated_at is not None:
            return Done(Observation(report, "plan_ended", "the plan's validity is over"))
        return await self._expire_unused(task, profile, report)

    def _without_answer(
        self, task: Task[NoPayload], profile: IssuedProfile, outcome: OperatorNotSent | NotDue, *, over: bool
    ) -> Outcome[Observation]:
        """Before the end the schedule brings the next query; at the end the query is repeated."""
        if not over:
            if isinstance(outcome, NotDue):
                return NotDue(max(outcome.retry_after, _SHORTEST_WAIT), outcome.reason)
            return Done(Observation())
        if profile.facts.activated_at is not None and task.attempts >= _QUERIES_AT_THE_END:
            how = "the plan's validity is over; the operator did not answer"
            return Done(Observation(expired="plan_ended", how=how))
        return NotSent(outcome.reason, _pause(task))

    async def _expire_unused(  # noqa: PLR0911 - one return for each outcome
        self, task: Task[NoPayload], profile: IssuedProfile, report: SourcedReport | None
    ) -> Outcome[Observation]:
        """Cancel a profile that was not activated in time (RC 7).

        It also expires where a phone has it unused, so that the operator does not cancel it. Where a phone has it and
        the operator does not report that it is unused, a plan may be running. Then it expires when the plan's days have
        passed since the last moment at which the plan could begin.
        """
        operator = operator_of(self._operators, profile)
        if isinstance(operator, NeedsPerson):
            return operator
        outcome = await operator.cancel(profile.ref(uncertain=task.uncertain), trace=task.continues)
        match outcome:
            case Done(Cancellation(how)):
                return Done(Observation(report, "never_activated", how))
            case OperatorRefused(_, reason):
                if report is not None and _unused(report.report):
                    return Done(Observation(report, "never_activated", reason))
                if self._database.clock.now() >= profile.valid_until + timedelta(days=profile.validity_days):
                    return Done(Observation(report, "plan_ended", f"its last possible day is over: {reason}"))
                return Done(Observation(report, undecided=True))
            case OperatorUnknown(reason):
                return Unknown(reason, _pause(task))
            case OperatorNotSent() | NotDue():
                return NotSent(outcome.reason, _pause(task))

    async def record(self, tx: Tx, results: Sequence[ObserveResult]) -> None:
        """Store the reports, expire profiles whose time is over, announce ends, and schedule the next queries."""
        observations = {UUID(result.task.key): result.result for result in results}
        reports = [observation.report for observation in observations.values() if observation.report is not None]
        reported = await self._observations.record_observation(tx, reports)
        expired = {order_id: observation for order_id, observation in observations.items() if observation.expired}
        await self._expire(tx, expired)
        undecided = {order_id for order_id, observation in observations.items() if observation.undecided}
        rest = observations.keys() - reported.keys()
        profiles = await store.issued_profiles(tx, rest | expired.keys() | undecided, lock=True)
        announced = await self._notices.announce_ends(tx, (reported | profiles).values())
        changes = {}
        for order_id, profile in (profiles | announced).items():
            later = tx.now + _UNDECIDED
            due = later if order_id in undecided else self._observations.next_query_at(profile, tx.now)
            changes[order_id] = (profile.known, due, None)
        await store.save(tx, changes)

    async def _expire(self, tx: Tx, expired: Mapping[UUID, Observation]) -> None:
        """Expire them and publish it, unless a plan was extended or the profile has ended in the meantime."""
        if not expired:
            return
        reasons: dict[UUID, EndReason] = {}
        for order_id, profile in (await store.issued_profiles(tx, expired, lock=True)).items():
            reason, end = expired[order_id].expired, profile.plan_ends_at
            if reason is not None and (reason == "never_activated" or end is None or end <= tx.now):
                reasons[order_id] = reason
        ended = await store.expire(tx, reasons)
        for order_id, profile in (await store.issued_profiles(tx, ended)).items():
            event = ProfileExpired(
                **profile.subject(), reason=reasons[order_id], expired_at=profile.expired_at or tx.now
            )
            tx.publish(event, trace=profile.trace)
            log.info("profile_expired", order_id=str(order_id), reason=reasons[order_id], how=expired[order_id].how)


def _pause(task: Task[NoPayload]) -> timedelta:
    return min(backoff(task.attempts + 3), _LONGEST_PAUSE)


def _unused(report: Report) -> bool:
    """Whether the operator reports that the profile is unused: a state before use, or 0 bytes."""
    return report.install in ("released", "downloaded", "installed") or report.used_bytes == 0
