"""A moment has come: decide again what waited for it."""

from collections.abc import Sequence
from uuid import UUID

from refunds.desk import Desk
from refunds.desk.changes import CASE_DUE
from refunds.desk.claims import CLAIM_DUE, missed_claims
from shared.database import Tx
from shared.tasks import Task, TaskResult


class CaseDue:
    """A case's deadline or its next question has come. Nothing outside is called."""

    kind = CASE_DUE
    concurrency = 4

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def perform(self, task: Task) -> UUID:
        """The order whose cases are to be decided again."""
        return UUID(task.payload["order_id"])

    async def record(self, tx: Tx, done: Sequence[TaskResult[UUID]]) -> None:
        """Decide them, with what has become true since."""
        traces = {one.result: one.task.continues for one in done}
        await self._desk.decide(tx, traces, traces)


class ClaimDue:
    """The time to answer a written claim is over."""

    kind = CLAIM_DUE
    concurrency = 1

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def perform(self, task: Task) -> UUID:
        """The claim."""
        return UUID(task.key)

    async def record(self, tx: Tx, done: Sequence[TaskResult[UUID]]) -> None:
        """Tell of those that nobody answered."""
        await missed_claims(tx, self._desk.figures, [one.result for one in done])
