"""Keeps the stored statuses of orders equal to what their facts say."""

from ordering.timeline.store import derive, find_due, store_statuses
from shared.database import Database, Tx

#: What one transaction derives: some 50 ms of work, so that nobody waits long for its locks.
BATCH = 500


class StatusKeeper:
    """A participant of every transaction of this service: stores the statuses that follow from its facts."""

    async def before_commit(self, tx: Tx) -> None:
        """Store the statuses, as the last statements of the transaction."""
        await store_statuses(tx)

    def after_commit(self, tx: Tx) -> None:
        """Nothing: the statuses are committed."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing: the statuses are as before."""


async def derive_due(database: Database, storefront: str) -> bool:
    """Derive the statuses of that storefront that are due. False if there are more than one transaction takes.

    They are due after an update from a release without stored statuses, and while an instance of it still runs.
    """
    async with database.reading() as tx:
        due = await find_due(tx, storefront, BATCH + 1)
    if due:
        async with database.transaction("statuses") as tx:
            await derive(tx, due[:BATCH])
    return len(due) <= BATCH
