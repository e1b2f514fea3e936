"""A polite rate of questions to the bank, whatever the concurrency (docs/wire/complaints.md)."""

import asyncio
import time


class Pace:
    """So many turns per second on average, the first `burst` of them at once. Per process."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._interval = 1 / per_second
        self._slack = burst * self._interval
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for a turn; turns come in the order of asking."""
        now = time.monotonic()
        at = max(self._next, now - self._slack)
        self._next = at + self._interval
        if at > now:
            await asyncio.sleep(at - now)
