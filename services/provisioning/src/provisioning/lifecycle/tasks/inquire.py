"""A refund case asks how its profile is: it is looked at now, and the case is answered, with how fresh that is.

An operator that cannot be asked is *unknown*, never *unused*: the case hears so once (`reached` false) after a short
time, and once more when the operator answers; it is asked again for some days, with growing pauses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from provisioning.clients.models import NotNow as OperatorNotNow
from provisioning.lifecycle import store
from provisioning.lifecycle.observation import Observations, SourcedReport, observed
from provisioning.lifecycle.operator_queries import query_operator
from provisioning.operators.registry import Operators
from provisioning.settings import LifecycleSettings
from shared.database import Database, Tx
from shared.tasks import NotNow, Task, TaskResult
from shared.tasks.worker import backoff

_LONGEST_PAUSE = timedelta(minutes=15)
_SLOWER = 6  # doublings after the first answer: about 13 s and more
_CASE = "SELECT asked_at, unreached_at FROM inquiries WHERE case_id = :case_id"
_UNREACHED = """
UPDATE inquiries SET unreached_at = :now
WHERE case_id = :case_id AND unreached_at IS NULL AND answered_at IS NULL RETURNING case_id
"""
_ANSWERED = """
UPDATE inquiries SET answered_at = :now WHERE case_id = ANY(CAST(:ids AS uuid[])) AND answered_at IS NULL
RETURNING case_id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The operator's answer. `gave_up`: there was none for so long that nobody asks any more."""

    told: SourcedReport | None = None
    gave_up: bool = False


class Inquire:
    """Answers one case."""

    def __init__(
        self, operators: Operators, settings: LifecycleSettings, database: Database, observations: Observations
    ) -> None:
        self._operators = operators
        self._patience = timedelta(seconds=settings.inquiry_patience_seconds)
        self._gives_up = timedelta(hours=settings.inquiry_gives_up_hours)
        self._database = database
        self._observations = observations

    async def perform(self, task: Task) -> Answer:
        """Ask the operator; reading may always be repeated."""
        order_id, case_id = _ids(task)
        async with self._database.reading() as tx:
            life = (await store.issued_profiles(tx, [order_id]))[order_id]
            case = (await tx.execute(_CASE, case_id=case_id)).one()
        now = self._database.clock.now()
        answer = await query_operator(self._operators, life, now=now, trace=task.continues)
        if not isinstance(answer, OperatorNotNow):
            return Answer(answer.told)
        waited = self._database.clock.now() - case.asked_at
        if waited >= self._gives_up:
            await self._tell_unreached(task)
            return Answer(gave_up=True)
        pause = backoff(task.attempts)
        if case.unreached_at is None and waited + pause >= self._patience:
            await self._tell_unreached(task)
        elif case.unreached_at is not None:
            pause = min(backoff(task.attempts + _SLOWER), _LONGEST_PAUSE)
        if answer.retry_after:
            pause = max(pause, timedelta(seconds=answer.retry_after))
        raise NotNow(answer.reason, delay=pause)

    async def _tell_unreached(self, task: Task) -> None:
        """Answer with what is known so far, once."""
        order_id, case_id = _ids(task)
        async with self._database.transaction("work") as tx:
            if (await tx.execute(_UNREACHED, now=tx.now, case_id=case_id)).first() is None:
                return
            life = (await store.issued_profiles(tx, [order_id]))[order_id]
            tx.publish(observed(life, tx.now, case_id=case_id, reached=False), trace=task.continues)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Answer]]) -> None:
        """Keep what was said and answer the cases, once each."""
        await self._observations.record_observation(
            tx, [one.result.told for one in done if one.result.told is not None]
        )
        settled = await tx.execute(_ANSWERED, now=tx.now, ids=sorted(_ids(one.task)[1] for one in done))
        fresh = set(settled.scalars())
        lives = await store.issued_profiles(tx, (_ids(one.task)[0] for one in done))
        for one in done:
            order_id, case_id = _ids(one.task)
            if case_id in fresh and not one.result.gave_up:
                tx.publish(observed(lives[order_id], tx.now, case_id=case_id), trace=one.task.continues)


def _ids(task: Task) -> tuple[UUID, UUID]:
    payload: Any = task.payload
    return UUID(payload["order_id"]), UUID(payload["case_id"])
