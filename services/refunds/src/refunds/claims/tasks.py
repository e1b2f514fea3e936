"""The time to answer a written claim is over."""

from collections.abc import Sequence
from uuid import UUID

from refunds.cases import CaseService
from refunds.claims.store import CLAIM_DUE, missed_claims
from shared.database import Tx
from shared.tasks import Task, TaskResult


class ClaimDue:
    """The time to answer a written claim is over."""

    kind = CLAIM_DUE
    concurrency = 1

    def __init__(self, case_service: CaseService) -> None:
        self._case_service = case_service

    async def perform(self, task: Task) -> UUID:
        """The claim."""
        return UUID(task.key)

    async def record(self, tx: Tx, done: Sequence[TaskResult[UUID]]) -> None:
        """Tell of those that nobody answered."""
        await missed_claims(tx, self._case_service.metrics, [one.result for one in done])
