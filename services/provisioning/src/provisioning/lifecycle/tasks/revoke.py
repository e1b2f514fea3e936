"""Action `revoke` of the task `life`: a case revokes its profile (RC 5, 6).

The operator cancels the profile for good, or refuses. The case gets either answer.
"""

from collections.abc import Sequence

from provisioning.clients.models import Cancellation, OperatorRefused, in_words
from provisioning.lifecycle import store
from provisioning.lifecycle.models.cases import RevocationSettlement
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.lifecycle.operator_queries import operator_of
from provisioning.operators import Operators
from shared.contracts import ProfileRevoked, RevocationRefused
from shared.database import Database, Tx
from shared.outcomes import Done, NeedsPerson, Outcome
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
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
        reasons = await store.revocation_reasons(tx, (result.task.payload.case for result in ordered))
        await store.mark_revoked(
            tx,
            {
                result.task.payload.order_id: reasons[result.task.payload.case]
                for result in ordered
                if isinstance(result.outcome, Done)
            },
        )
        # Where a phone has the profile, the stored state is too old.
        refused = {result.task.payload.order_id for result in ordered if isinstance(result.outcome, OperatorRefused)}
        await store.query_soon(tx, refused)
        settled_now = await store.settle_revocations(tx, [_settlement(result) for result in ordered])
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


def _settlement(result: RevokeResult) -> RevocationSettlement:
    return RevocationSettlement(
        result.task.payload.case, "revoked" if isinstance(result.outcome, Done) else "refused", _detail(result)
    )


def _detail(result: RevokeResult) -> str:
    match result.outcome:
        case OperatorRefused() as refusal:
            return f"{refusal.reason} {in_words(refusal.statuses)}".strip()
    return result.result.how
