"""Limits the rate of calls to an operator, for all instances together (a generic cell rate in one row)."""

import asyncio
import math

from shared.database import Database

_SHARE_SECONDS = 0.2  # an instance takes calls for this many seconds from the row, not one by one
#: How far ahead of the steady rate an urgent call may be made; others wait.
_BURST_SECONDS = 2.0
_TAKE = """
INSERT INTO operator_rates AS r (operator, next_at)
VALUES (:operator, clock_timestamp() + make_interval(secs => :step))
ON CONFLICT (operator) DO UPDATE
SET next_at = GREATEST(r.next_at, clock_timestamp()) + make_interval(secs => :step)
WHERE r.next_at <= clock_timestamp() + make_interval(secs => :ahead)
RETURNING next_at
"""
_WAIT = """
SELECT EXTRACT(EPOCH FROM next_at - clock_timestamp()) AS seconds FROM operator_rates WHERE operator = :operator
"""


class RateLimit:
    """At most `per_minute` calls of one operator. Raises what the database raises."""

    def __init__(self, database: Database, operator: str, per_minute: float) -> None:
        self._database = database
        self._operator = operator
        self._step = 60.0 / per_minute
        self._share = max(1, math.floor(_SHARE_SECONDS / self._step))
        self._left = 0
        self._lock = asyncio.Lock()

    async def take(self, *, urgent: bool) -> float:
        """0: the call may be made. Otherwise the seconds after which to try again."""
        async with self._lock:
            if self._left:
                self._left -= 1
                return 0.0
            ahead = _BURST_SECONDS if urgent else 0.0
            async with self._database.transaction("rate") as tx:
                taken = await tx.execute(_TAKE, operator=self._operator, step=self._step * self._share, ahead=ahead)
                if taken.all():
                    self._left = self._share - 1
                    return 0.0
                seconds = float((await tx.execute(_WAIT, operator=self._operator)).scalar() or 0.0)
            return max(0.05, seconds - ahead)
