"""Action `revoke` of the task `life`: a case revokes its profile (RC 5, 6).

The operator cancels the profile for good, or refuses. The case gets either answer.
"""

from collections.abc import Sequence
from uuid import UUID

from provisioning.clients.models import Cancellation, OperatorRefused, in_words
from provisioning.lifecycle import store
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.lifecycle.operator_queries import operator_of
from provisioning.operators.registry import Operators
from shared.contracts import ProfileRevoked, RevocationRefused
from shared.database import Database, Tx
from shared.outcomes import Done, NeedsPerson, Outcome
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_CASES = "SELECT case_id, reason, settled_at FROM revocations WHERE case_id = ANY(CAST(:ids AS uuid[]))"
_REVOKED = """
UPDATE lives l SET revoked_at = :now, revoked_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r(order_id, reason)
WHERE l.order_id = r.order_id AND l.revoked_at IS NULL
"""
#: Where a phone has the profile, the stored state is too old: query the operator soon.
_QUERY_SOON = "UPDATE lives SET look_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND look_at IS NOT NULL"
_SETTLE = """
UPDATE revocations v SET settled_at = :now, outcome = r.outcome, detail = r.detail
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:details AS text[])) AS r(case_id, outcome, detail)
WHERE v.case_id = r.case_id AND v.settled_at IS NULL RETURNING v.case_id
"""
RevokeResult = TaskResult[Cancellation, LifecyclePayload]


class Revoke:
    """Revokes the profiles of cases. Safe to repeat: an uncertain cancellation is looked up by the client."""

    def __init__(self, operators: Operators, database: Database) -> None:
        self._operators = operators
        self._database = database

    async def perform(self, task: Task[LifecyclePayload]) -> Outcome[Cancellation]:
        """Cancel the profile, until the operator has done it or refused."""
        order_id = task.payload.order_id
        async with self._database.reading() as tx:
            profile = (await store.issued_profiles(tx, [order_id]))[order_id]
        if profile.revoked_at is not None:
            return Done(Cancellation("revoked before"))
        operator = operator_of(self._operators, profile)
        if isinstance(operator, NeedsPerson):
            return operator
        # A profile that expired was cancelled already: then "taken" does not mean that a phone has it.
        ref = profile.ref(uncertain=task.uncertain or profile.expired_at is not None)
        return await operator.cancel(ref, trace=task.continues)

    async def record(self, tx: Tx, results: Sequence[RevokeResult]) -> None:
        """Settle the cases, each once, and publish the answers."""
        ordered = sorted(results, key=lambda result: result.task.payload.case.int)
        profiles = await store.issued_profiles(tx, (result.task.payload.order_id for result in ordered), lock=True)
        cases = await tx.execute(_CASES, ids=[result.task.payload.case for result in ordered])
        reasons: dict[UUID, str] = {row.case_id: row.reason for row in cases}
        revoked = {
            result.task.payload.order_id: reasons[result.task.payload.case]
            for result in ordered
            if isinstance(result.outcome, Done)
        }
        ids = sorted(revoked, key=lambda order_id: order_id.int)
        await tx.execute(_REVOKED, now=tx.now, ids=ids, reasons=[revoked[order_id] for order_id in ids])
        refused = {result.task.payload.order_id for result in ordered if isinstance(result.outcome, OperatorRefused)}
        await tx.execute(_QUERY_SOON, now=tx.now, ids=sorted(refused))
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=[result.task.payload.case for result in ordered],
            outcomes=["revoked" if isinstance(result.outcome, Done) else "refused" for result in ordered],
            details=[_detail(result) for result in ordered],
        )
        settled_now = set(settled.scalars())
        for result in ordered:
            payload = result.task.payload
            if payload.case in settled_now:
                _publish(tx, profiles[payload.order_id], reasons[payload.case], result)


def _publish(tx: Tx, profile: IssuedProfile, reason: str, result: RevokeResult) -> None:
    case_id, outcome = result.task.payload.case, result.outcome
    name = "Revoked" if isinstance(outcome, Done) else "NotRevoked"
    log.info("revocation_settled", order_id=str(profile.order_id), outcome=name, how=_detail(result))
    if isinstance(outcome, OperatorRefused):
        refused = RevocationRefused(
            **profile.subject(),
            case_id=case_id,
            statuses=outcome.statuses,
            reason=outcome.reason,
            # Not false: an operator that refuses for another reason has not reported that no device has the profile.
            in_use=True if outcome.in_use else None,
            refused_at=tx.now,
        )
        tx.publish(refused, trace=result.task.continues)
        return
    at = profile.revoked_at or tx.now
    revoked = ProfileRevoked.model_validate(
        {**profile.subject(), "reason": reason, "case_id": case_id, "revoked_at": at}
    )
    tx.publish(revoked, trace=result.task.continues)


def _detail(result: RevokeResult) -> str:
    match result.outcome:
        case OperatorRefused() as refusal:
            return f"{refusal.reason} {in_words(refusal.statuses)}".strip()
    return result.result.how
