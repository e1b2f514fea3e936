"""Action `inquire` of the task `life`: a refund case requests the state of a profile, and gets it with its age.

An operator that is unreachable yields *unknown*, never *unused*. The case gets such an answer once (`reached` false),
after a short time, and one more when the operator answers. The operator is queried for some days, with growing pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from provisioning.lifecycle import store
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.lifecycle.observation import Observations, SourcedReport, observed
from provisioning.lifecycle.operator_queries import query_operator
from provisioning.operators import Operators
from provisioning.settings import LifecycleSettings
from shared.database import Database, Tx
from shared.outcomes import Done, NotSent, Outcome
from shared.tasks import Task, TaskResult
from shared.tasks.worker import backoff

_LONGEST_PAUSE = timedelta(minutes=15)
_SLOWER = 6  # doublings after the first answer: about 13 s and more


@dataclass(frozen=True, slots=True)
class Inquiry:
    """The operator's report, if it has one. `gave_up`: the operator did not answer for so long that queries end."""

    report: SourcedReport | None = None
    gave_up: bool = False


class Inquire:
    """Answers cases."""

    def __init__(
        self, operators: Operators, settings: LifecycleSettings, database: Database, observations: Observations
    ) -> None:
        self._operators = operators
        self._patience = timedelta(seconds=settings.inquiry_patience_seconds)
        self._gives_up = timedelta(hours=settings.inquiry_gives_up_hours)
        self._database = database
        self._observations = observations

    async def perform(self, task: Task[LifecyclePayload]) -> Outcome[Inquiry]:
        """Query the operator; a query may always be repeated."""
        async with self._database.reading() as tx:
            profile = await _profile(tx, task.payload.order_id)
            times = await store.inquiry_times(tx, task.payload.case)
        now = self._database.clock.now()
        outcome = await query_operator(self._operators, profile, now=now, trace=task.continues)
        if isinstance(outcome, Done):
            return Done(Inquiry(outcome.value))
        waited = self._database.clock.now() - times.requested_at
        if waited >= self._gives_up:
            await self._answer_unreached(task)
            return Done(Inquiry(gave_up=True))
        pause = backoff(task.attempts)
        if times.unreached_at is None and waited + pause >= self._patience:
            await self._answer_unreached(task)
        elif times.unreached_at is not None:
            pause = min(backoff(task.attempts + _SLOWER), _LONGEST_PAUSE)
        if outcome.retry_after:
            pause = max(pause, outcome.retry_after)
        return NotSent(outcome.reason, pause)

    async def _answer_unreached(self, task: Task[LifecyclePayload]) -> None:
        """Answer with what is stored so far, once."""
        case_id = task.payload.case
        async with self._database.transaction("work") as tx:
            if not await store.mark_unreached(tx, case_id):
                return
            profile = await _profile(tx, task.payload.order_id)
            tx.publish(observed(profile, tx.now, case_id=case_id, reached=False), trace=task.continues)

    async def record(self, tx: Tx, results: Sequence[TaskResult[Inquiry, LifecyclePayload]]) -> None:
        """Store the reports and answer the cases, once each."""
        reports = [result.result.report for result in results if result.result.report is not None]
        await self._observations.record_observation(tx, reports)
        answered_now = await store.mark_answered(tx, (result.task.payload.case for result in results))
        profiles = await store.issued_profiles(tx, (result.task.payload.order_id for result in results))
        for result in results:
            payload = result.task.payload
            if payload.case in answered_now and not result.result.gave_up:
                event = observed(profiles[payload.order_id], tx.now, case_id=payload.case)
                tx.publish(event, trace=result.task.continues)


async def _profile(tx: Tx, order_id: UUID) -> IssuedProfile:
    return (await store.issued_profiles(tx, [order_id]))[order_id]
