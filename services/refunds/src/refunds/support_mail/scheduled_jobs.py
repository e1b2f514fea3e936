"""The recurring job of e-mails to shops: counts those that wait, and deletes mails and answers whose
time is over.
"""

from refunds.support_answers import DELETE_OLD_ANSWERS
from refunds.support_mail.metrics import MailMetrics
from refunds.support_mail.store import DELETE_EXPIRED, count_waiting
from shared.database import Database
from shared.supervision import Loop

_EVERY_SECONDS = 30.0


class MailJobs:
    """A loop of every instance; all count the same table."""

    def __init__(self, database: Database, metrics: MailMetrics) -> None:
        self._database = database
        self._metrics = metrics

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""

        async def step() -> None:
            async with self._database.transaction("maintain") as tx:
                for statement in (DELETE_EXPIRED, DELETE_OLD_ANSWERS):
                    await tx.execute(statement, now=tx.now)
                loop.progress()
                self._metrics.show_waiting(await count_waiting(tx))

        await loop.repeat(step, _EVERY_SECONDS, "support_mail_watch_failed")
