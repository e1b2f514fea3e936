"""The lease of one worker instance: one row of `instances`, renewed by a heartbeat, covers every task it holds.

A paused process can outlive its lease. It finds that out before its next call, or at the latest when it records; its
tasks then belong to another instance and its results change nothing (fencing).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from prometheus_client import Gauge

from shared.clock import DatabaseClock
from shared.database import Database
from shared.ids import uuid7
from shared.supervision import Loop
from shared.tasks import store
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
HEARTBEAT_SECONDS = 1.2
_SWEEP_SECONDS = 30.0
#: A system clock that differs from the database's by more is reported.
_WRONG_SECONDS = 2.0
#: No task is begun later than this share of the lease after the last heartbeat.
_SAFE_SHARE = 0.8


class Lease:
    """`owner` is the id that holds the tasks.

    `lost` is called when the lease has expired, before a new one begins; `released` when tasks of an expired instance,
    perhaps of this one, are free to be claimed.
    """

    def __init__(
        self, database: Database, lost: Callable[[], None], released: Callable[[], None], ahead: Gauge
    ) -> None:
        self.owner: UUID = uuid7()
        self._database = database
        self._ahead = ahead
        self._lost = lost
        self._released = released
        self._renewed_at = float("-inf")
        self._settled = asyncio.Event()
        self._clock_is_wrong = False

    def valid(self) -> bool:
        """Whether a task may be begun now."""
        return time.monotonic() - self._renewed_at < store.LEASE_SECONDS * _SAFE_SHARE

    async def holds(self, owner: UUID) -> bool:
        """Whether a task that this process holds as `owner` may be begun or go on; waits while the heartbeat is late.

        False: the lease was lost, and another instance has the task. A late heartbeat alone takes no task away: the
        rows stay leased to this process, so it must not drop them.
        """
        while owner == self.owner and not self.valid():
            self._settled.clear()
            await self._settled.wait()
        return owner == self.owner

    async def acquire(self) -> None:
        """Register this worker instance. Raises psycopg.Error.

        What was killed before is often longer ago than its lease lasts: its tasks are released at once.
        """
        async with self._database.transaction("lease") as tx:
            asked = time.monotonic()
            self._compare(await store.register(tx, self.owner), asked)
            released = await store.release_expired(tx, sweep=False)
        self._renewed_at = time.monotonic()
        self._settled.set()
        if released:
            self._released()

    async def keep(self, loop: Loop) -> None:
        """Renew the lease until cancelled. After it has expired, begin again under a new owner id."""
        swept_at = 0.0
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            loop.begin()
            try:
                async with self._database.transaction("lease") as tx:
                    started = time.monotonic()
                    renewed, now = await store.renew(tx, self.owner)
                    sweep = not renewed or started - swept_at > _SWEEP_SECONDS
                    self._compare(now, started)
                    released = await store.release_expired(tx, sweep=sweep)
                    if sweep:
                        swept_at = started
                if renewed:
                    self._renewed_at = started
                    self._settled.set()
                else:
                    self._lost()
                    self.owner = uuid7()
                    self._settled.set()
                    await self.acquire()
                if released:
                    self._released()
                loop.succeed()
            except Exception as error:  # noqa: BLE001 - without a heartbeat no task is begun, and the lease expires
                log.warning("heartbeat_failed", error=error)

    def _compare(self, now: datetime, asked_at: float) -> None:
        """`now`: the database's time, requested at this monotonic second."""
        clock = self._database.clock
        if not isinstance(clock, DatabaseClock):
            return
        ahead = clock.compare(now, asked_at, time.monotonic())
        self._ahead.set(ahead)
        is_wrong = abs(ahead) > _WRONG_SECONDS
        if is_wrong and not self._clock_is_wrong:
            log.warning("system_clock_is_wrong", seconds_ahead_of_database=round(ahead, 1))
        self._clock_is_wrong = is_wrong

    async def release(self, unstarted: Sequence[UUID]) -> None:
        """End the lease: tasks that were not started become due again, the others are uncertain."""
        try:
            async with self._database.transaction("lease") as tx:
                await store.give_back(tx, unstarted, self.owner)
                await store.leave(tx, self.owner)
        except Exception as error:  # noqa: BLE001 - the lease expires without our help
            log.warning("lease_left_to_expire", error=error)
