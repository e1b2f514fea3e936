"""Recurring job: erases what an instance of release 1.0 left, whose statements do not know the later columns."""

from notifications.privacy import store
from shared.database import Database
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_EVERY_SECONDS = 60.0


class ErasureJobs:
    """A loop of every instance. While releases overlap, any of them may have handled an erasure."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""
        await loop.repeat(self.erase_left, _EVERY_SECONDS, "erasures_not_completed")

    async def erase_left(self) -> None:
        """Complete erasures. Raises psycopg.Error."""
        async with self._database.transaction("maintain") as tx:
            erased = (await tx.execute(store.ERASE_LEFT)).scalar()
        if erased:
            log.warning("erasures_completed", rows=erased)
