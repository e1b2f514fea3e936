"""Second captures that an earlier version of this service left to a person: announced like any other."""

from collections.abc import Sequence

from payments.attempts import captures
from shared.database import Database, Tx
from shared.tasks import Task, TaskResult

DUPLICATE = "duplicate_capture"


class DuplicateCapture:
    """Job `duplicate_capture`; the key is the invoice id. Nothing here schedules it any more."""

    kind = DUPLICATE
    concurrency = 1

    def __init__(self, database: Database) -> None:
        self._database = database

    async def perform(self, task: Task) -> str:
        """The bank's transaction id of that capture."""
        async with self._database.reading() as tx:
            found = await tx.execute("SELECT transaction_id FROM attempts WHERE invoice_id = :id", id=int(task.key))
        return str(found.one().transaction_id)

    async def record(self, tx: Tx, done: Sequence[TaskResult[str]]) -> None:
        """Post and publish them."""
        surplus = {int(one.task.key): one.result for one in done}
        await captures.record_surplus(tx, surplus, {int(one.task.key): one.task.continues for one in done})
