"""A case takes its profile out of use, for good (RC 5, 6): cancelled at the operator, or refused and said so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from provisioning.clients import models as op
from provisioning.clients.models import Cancelled, Statuses
from provisioning.lifecycle import store
from provisioning.lifecycle.operator_queries import operator_of_profile
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from shared.contracts import ProfileRevoked, RevocationRefused
from shared.database import Database, Tx
from shared.tasks import NotNow, Task, TaskResult, Unknown
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_CASES = "SELECT case_id, reason, settled_at FROM revocations WHERE case_id = ANY(CAST(:ids AS uuid[]))"
_REVOKED = """
UPDATE lives l SET revoked_at = :now, revoked_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r(order_id, reason)
WHERE l.order_id = r.order_id AND l.revoked_at IS NULL
"""
#: Where a phone has the profile, what is known of it is old: look soon.
_LOOK_SOON = "UPDATE lives SET look_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND look_at IS NOT NULL"
_SETTLE = """
UPDATE revocations v SET settled_at = :now, outcome = r.outcome, detail = r.detail
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:details AS text[])) AS r(case_id, outcome, detail)
WHERE v.case_id = r.case_id AND v.settled_at IS NULL RETURNING v.case_id
"""


@dataclass(frozen=True, slots=True)
class Revoked:
    """Nobody can use the profile any more."""

    how: str


@dataclass(frozen=True, slots=True)
class NotRevoked:
    """The operator does not take it back."""

    reason: str
    statuses: Statuses
    #: The operator says that a device has, or had, the profile.
    in_use: bool


class Revoke:
    """Revokes the profile of one case. Safe to repeat: the operator's answer to a lost call is asked for."""

    def __init__(self, operators: Operators, database: Database) -> None:
        self._operators = operators
        self._database = database

    async def perform(self, task: Task) -> Revoked | NotRevoked:
        """Cancel, with the final status; repeated until the operator has said yes or no."""
        life = await self._life(task)
        if life.revoked_at is not None:
            return Revoked("revoked before")
        # What expired was cancelled already: "taken" then is no news of a phone.
        ref = life.ref(uncertain=task.uncertain or life.expired_at is not None)
        answer = await operator_of_profile(self._operators, life).cancel(ref, trace=task.continues)
        match answer:
            case Cancelled(how):
                return Revoked(how)
            case op.Refused(reason, statuses):
                return NotRevoked(reason, statuses, answer.in_use)
            case op.NotNow():
                delay = timedelta(seconds=answer.retry_after) if answer.retry_after else None
                raise NotNow(answer.reason, delay=delay)
        raise Unknown(answer.reason)

    async def _life(self, task: Task) -> IssuedProfile:
        order_id = UUID(task.payload["order_id"])
        async with self._database.reading() as tx:
            return (await store.issued_profiles(tx, [order_id]))[order_id]

    async def record(self, tx: Tx, done: Sequence[TaskResult[Revoked | NotRevoked]]) -> None:
        """Settle the cases, each once, and tell."""
        lives = await store.issued_profiles(tx, (_ids(one.task)[0] for one in done), lock=True)
        cases = await tx.execute(_CASES, ids=sorted(_ids(one.task)[1] for one in done))
        reasons = {row.case_id: row.reason for row in cases}
        revoked = {_ids(one.task): one for one in done if isinstance(one.result, Revoked)}
        by_order = {order_id: reasons[case_id] for order_id, case_id in sorted(revoked, key=lambda key: key[1].int)}
        ids = sorted(by_order, key=lambda one: one.int)
        await tx.execute(_REVOKED, now=tx.now, ids=ids, reasons=[by_order[one] for one in ids])
        refused = sorted({_ids(one.task)[0] for one in done if isinstance(one.result, NotRevoked)})
        await tx.execute(_LOOK_SOON, now=tx.now, ids=refused)
        ordered = sorted(done, key=lambda one: _ids(one.task)[1].int)
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=[_ids(one.task)[1] for one in ordered],
            outcomes=["revoked" if isinstance(one.result, Revoked) else "refused" for one in ordered],
            details=[_detail(one.result) for one in ordered],
        )
        fresh = set(settled.scalars())
        for one in ordered:
            order_id, case_id = _ids(one.task)
            if case_id in fresh:
                _tell(tx, lives[order_id], case_id, reasons[case_id], one)


def _tell(tx: Tx, life: IssuedProfile, case_id: UUID, reason: Any, one: TaskResult[Revoked | NotRevoked]) -> None:
    result = one.result
    log.info("revocation_settled", order_id=str(life.order_id), outcome=type(result).__name__, how=_detail(result))
    if isinstance(result, Revoked):
        at = life.revoked_at or tx.now
        revoked = ProfileRevoked(**life.subject(), reason=reason, case_id=case_id, revoked_at=at)
        tx.publish(revoked, trace=one.task.continues)
        return
    refused = RevocationRefused(
        **life.subject(),
        case_id=case_id,
        statuses=result.statuses,
        reason=result.reason,
        # Not "no": an operator that refuses for another reason has not said that the profile is on no device.
        in_use=True if result.in_use else None,
        refused_at=tx.now,
    )
    tx.publish(refused, trace=one.task.continues)


def _detail(result: Revoked | NotRevoked) -> str:
    return result.how if isinstance(result, Revoked) else f"{result.reason} {op.in_words(result.statuses)}".strip()


def _ids(task: Task) -> tuple[UUID, UUID]:
    return UUID(task.payload["order_id"]), UUID(task.payload["case_id"])
