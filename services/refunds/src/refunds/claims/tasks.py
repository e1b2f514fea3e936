"""Reports claims whose deadline passed without an answer."""

from collections.abc import Sequence
from uuid import UUID

from refunds.cases import Audit, CaseMetrics
from refunds.claims.store import CLAIM_DUE, mark_missed
from shared.database import Tx
from shared.outcomes import Done
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class ClaimDue:
    """The task of a claim's deadline. It calls no other system."""

    kind = CLAIM_DUE
    concurrency = 1
    payload = NoPayload

    def __init__(self, metrics: CaseMetrics) -> None:
        self._metrics = metrics

    async def perform(self, task: Task[NoPayload]) -> Done[UUID]:
        """Return the claim; everything else happens in the transaction of `record`."""
        return Done(UUID(task.key))

    async def record(self, tx: Tx, results: Sequence[TaskResult[UUID, NoPayload]]) -> None:
        """Count, log and audit the claims that nobody answered."""
        audit = Audit(tx, "system")
        for claim in await mark_missed(tx, [result.result for result in results]):
            self._metrics.missed.labels(claim.storefront, "claim").inc()
            log.error("deadline_missed", claim_id=str(claim.claim_id), storefront=claim.storefront, kind="claim")
            audit.add_of("deadline_missed", claim.order_id, kind="claim", claim_id=str(claim.claim_id))
        await audit.write()
