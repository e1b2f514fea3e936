"""Derives the statuses that a previous release left to be derived. Calls no system outside."""

from collections.abc import Sequence
from datetime import timedelta

from ordering.timeline.actions import BATCH
from ordering.timeline.models import DERIVE_STATUSES
from ordering.timeline.store import derive, find_due
from shared.database import Tx
from shared.task_payload import NoPayload
from shared.tasks import RecordOnly, TaskResult

#: Lists derive on their own what they need, so a pause as long as this does no harm.
_PAUSE = timedelta(minutes=1)


class DeriveStatuses(RecordOnly):
    """Derives due statuses of orders, so many in each transaction that nobody waits for it.

    The migration inserts its only task, and each run schedules the next one.
    """

    kind = DERIVE_STATUSES
    payload = NoPayload
    concurrency = 1

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """Derive, and run again in a minute; at once if there is more."""
        due = await find_due(tx, None, BATCH)
        await derive(tx, due)
        pause = timedelta(0) if len(due) == BATCH else _PAUSE
        for result in results:
            tx.schedule(self.kind, result.task.key, NoPayload(), due_at=tx.now + pause)
