"""Tasks that delete personal data in time (PP 4.5, PP 6.2). Neither calls a system outside."""

from collections.abc import Sequence
from datetime import timedelta

from ordering.privacy.models import CLEAR_SESSIONS, REPEAT_TOMBSTONE
from ordering.privacy.store import delete_expired_sessions, delete_unused_codes
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.task_payload import NoPayload
from shared.tasks import RecordOnly, TaskResult

_MAX_ROWS = 10_000
_DAY = timedelta(days=1)


class DeleteExpiredRecords(RecordOnly):
    """Deletes expired session records and unused codes, once a day.

    A migration inserts its only task, and each run schedules the next one.
    """

    kind = CLEAR_SESSIONS
    payload = NoPayload
    concurrency = 1

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """Delete, and run again in a day; at once if there are more rows than one statement deletes."""
        deleted = await delete_expired_sessions(tx, _MAX_ROWS)
        await delete_unused_codes(tx, expired_before=tx.now - _DAY)
        pause = timedelta(0) if deleted == _MAX_ROWS else _DAY
        for result in results:
            tx.schedule(self.kind, result.task.key, NoPayload(), due_at=tx.now + pause)


class RepeatTombstone(RecordOnly):
    """Writes the tombstone of an erased contact once more, after the log segment with the contact can be closed.

    Kafka closes a segment when the next record arrives. Without this one the contact would stay on a quiet partition
    until somebody else buys (shared/messaging/topics.py). The task's key is the buyer's id.
    """

    kind = REPEAT_TOMBSTONE
    payload = NoPayload
    concurrency = 1

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """Publish the tombstone. A service that has applied it already finds nothing to erase."""
        for result in results:
            tx.erase(BuyerContact, result.task.key, trace=result.task.continues)
