"""Deletes updates after their retention."""

from collections.abc import Sequence
from datetime import timedelta

from ordering.updates.store import delete_older
from shared.database import Tx
from shared.task_payload import NoPayload
from shared.tasks import RecordOnly, TaskResult

#: Ten times as long as deliveries are attempted, so that a shop can have a month's updates delivered again.
KEPT = timedelta(days=30)
#: A quarter of a second of deletions; more wait for the next run, which follows at once.
_MAX_ROWS = 10_000
_HOUR = timedelta(hours=1)


class DeleteOldUpdates(RecordOnly):
    """Deletes old updates, once an hour. A migration inserts its only task, and each run schedules the next one."""

    kind = "delete_updates"
    payload = NoPayload
    concurrency = 1

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """Delete, and run again in an hour; at once if there are more rows than one statement deletes."""
        deleted = await delete_older(tx, tx.now - KEPT, _MAX_ROWS)
        pause = timedelta(0) if deleted == _MAX_ROWS else _HOUR
        for result in results:
            tx.schedule(self.kind, result.task.key, NoPayload(), due_at=tx.now + pause)
