"""Runs the jobs that recur: lapsed orders, promised dates, the balance of the ledger, revenue, reconciliation.

Each process runs one loop. A job's row in `housekeeping` stores when the job is due and up to which moment it has
looked. The row is locked while the job runs, so that one process runs it, and after a crash it is due still. A job
looks only at rows older than a margin: a transaction that began later may not be committed yet.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from shared.database import Database, Tx
from shared.supervision import STALLED_SECONDS, Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

#: A job gets a transaction and the span of time to look at. It returns the moment up to which it has looked, and
#: whether there is more to do at once.
ScheduledJob: TypeAlias = Callable[[Tx, datetime, datetime], Awaitable[tuple[datetime, bool]]]
#: Reads gauges from the database, so that every process shows the same.
Refresh: TypeAlias = Callable[[Tx], Awaitable[None]]

_CLAIM = """
SELECT until FROM housekeeping WHERE name = :name AND due_at <= :now FOR UPDATE SKIP LOCKED
"""
_RESCHEDULE = "UPDATE housekeeping SET due_at = :due_at, until = :until WHERE name = :name"


class ScheduledJobs:
    """The loop. `jobs` by their names in `housekeeping`; `seconds` is the pause between two rounds."""

    def __init__(
        self,
        database: Database,
        jobs: Mapping[str, ScheduledJob],
        gauges: Sequence[Refresh],
        *,
        seconds: float,
        margin: timedelta,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._gauges = gauges
        self._seconds = seconds
        self._margin = margin

    async def run(self, loop: Loop) -> None:
        """Run all jobs round by round, until cancelled.

        Each job is supervised by itself: one that always fails is reported, although the others succeed.
        """

        async def run_all() -> None:
            for name, job in self._jobs.items():
                await self._run_job(name, job, loop)
            with loop.step():
                await self._refresh_gauges()

        await loop.repeat(run_all, self._seconds, "gauges_not_refreshed")

    async def _run_job(self, name: str, job: ScheduledJob, loop: Loop) -> None:
        """Run all steps of a job that is due."""
        part = loop.part(name)
        part.allowed_seconds = self._seconds + STALLED_SECONDS
        part.begin()
        try:
            while await self._step(name, job):
                part.progress()
                loop.progress()
        except Exception as error:  # noqa: BLE001 - it stays due; the next job need not wait for it
            log.warning("scheduled_job_failed", job=name, error=error)
        else:
            part.succeed()

    async def _refresh_gauges(self) -> None:
        async with self._database.reading() as tx:
            for refresh in self._gauges:
                await refresh(tx)

    async def _step(self, name: str, job: ScheduledJob) -> bool:
        """Run one step of a job that is due; True when there is more to do at once."""
        async with self._database.transaction("chore") as tx:
            since: datetime | None = (await tx.execute(_CLAIM, name=name, now=tx.now)).scalar()
            if since is None:
                return False
            until = max(since, tx.now - self._margin)
            reached, more = await job(tx, since, until)
            due_at = tx.now if more else tx.now + timedelta(seconds=self._seconds * 0.9)
            await tx.execute(_RESCHEDULE, name=name, due_at=due_at, until=reached)
        return more
