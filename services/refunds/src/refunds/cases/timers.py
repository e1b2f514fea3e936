"""A moment has come: decide again what waited for it."""

from collections.abc import Sequence
from uuid import UUID

from refunds.cases import CaseService
from refunds.cases.changes import CASE_DUE
from shared.database import Tx
from shared.tasks import Task, TaskResult


class CaseDue:
    """A case's deadline or its next question has come. Nothing outside is called."""

    kind = CASE_DUE
    concurrency = 4

    def __init__(self, case_service: CaseService) -> None:
        self._case_service = case_service

    async def perform(self, task: Task) -> UUID:
        """The order whose cases are to be decided again."""
        return UUID(task.payload["order_id"])

    async def record(self, tx: Tx, done: Sequence[TaskResult[UUID]]) -> None:
        """Decide them, with what has become true since."""
        traces = {one.result: one.task.continues for one in done}
        await self._case_service.decide(tx, traces, traces)
