"""Ordering's due work: session records end in time (PP 4.5), tombstones are repeated (PP 6.2)."""

from collections.abc import Sequence
from datetime import timedelta

from ordering.privacy import actions as privacy
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.tasks import Task, TaskResult

_MOST = 10_000
#: What an erasure has locked at this moment is left to it: two deletions in different orders would wait in a circle.
_DELETE = """
DELETE FROM session_records WHERE order_id IN (
  SELECT order_id FROM session_records WHERE keep_until < :now ORDER BY keep_until LIMIT :most FOR UPDATE SKIP LOCKED)
"""

#: A code that nobody entered is of no use, and the new contact in it is personal.
_DELETE_CODES = """
DELETE FROM confirmations WHERE confirmation_id IN (
  SELECT confirmation_id FROM confirmations c WHERE expires_at < :now AND confirmed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM privacy_requests p WHERE p.request_id = c.confirmation_id)
  FOR UPDATE OF c SKIP LOCKED)
"""


class ClearSessions:
    """Once a day. Its one row begins with the migration, and each time it is done it schedules itself again."""

    kind = "clear_sessions"
    concurrency = 1

    async def perform(self, task: Task) -> None:
        """Nothing outside is needed; the deletion is in `record`, in its transaction."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Delete what has expired; at once again where there is more than one statement should take."""
        deleted = (await tx.execute(_DELETE, now=tx.now, most=_MOST)).rowcount
        await tx.execute(_DELETE_CODES, now=tx.now - timedelta(days=1))
        pause = timedelta(0) if deleted == _MOST else timedelta(days=1)
        for one in done:
            tx.schedule(self.kind, one.task.key, due_at=tx.now + pause, trace=None)


class RepeatTombstone:
    """Once per erasure, when the segment with the buyer's contact is old enough to be closed by the next record.

    Without one, the contact would stay on a quiet partition for as long as nobody else buys (messaging/topics.py).
    """

    kind = privacy.REPEAT_TOMBSTONE
    concurrency = 1

    async def perform(self, task: Task) -> None:
        """Nothing outside is needed; the tombstone leaves with the transaction of `record`."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """The same tombstone again; who has applied it finds nothing to erase."""
        for one in done:
            tx.erase(BuyerContact, one.task.key, trace=one.task.continues)
