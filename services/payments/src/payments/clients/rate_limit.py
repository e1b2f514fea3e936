"""Limits how often the bank is called, whatever the concurrency (docs/wire/complaints.md)."""

import asyncio
import time


class RateLimit:
    """Admits `per_second` calls on average, after a first burst of `burst` calls. Per process."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._slack = burst * self._interval
        self._next = 0.0

    async def wait(self) -> None:
        """Wait until a call is admitted; callers are admitted in the order in which they came."""
        now = time.monotonic()
        at = max(self._next, now - self._slack)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)
