"""The clock, passed to code that needs the time; rules never read the system clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

#: Two clocks that differ by less are the same.
_SAME_SECONDS = 0.01


class Clock(Protocol):
    """Returns the present moment, always aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class DatabaseClock:
    """The clock of a service's database, so that all instances of the service agree on the time.

    A machine whose clock is wrong by hours would otherwise postpone tasks by hours, for all the others too. The
    heartbeat of the lease compares the clocks; in between the monotonic clock counts. Until the first comparison it is
    the system clock.
    """

    def __init__(self, system: Clock | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._system = system or SystemClock()
        self._monotonic = monotonic
        self._known: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._known is None:
            return self._system.now()
        moment, at = self._known
        return moment + timedelta(seconds=self._monotonic() - at)

    def compare(self, moment: datetime, asked_at: float, answered_at: float) -> float:
        """Take over the database's moment, which it gave between these monotonic seconds.

        Returns by how many seconds the system clock is ahead of it. What lies within the time of the answer changes
        nothing, so that the clock does not jump with each heartbeat.
        """
        here = self._monotonic()
        moment += timedelta(seconds=here - (asked_at + answered_at) / 2)
        difference = abs((self.now() - moment).total_seconds())
        if self._known is None or difference > (answered_at - asked_at) / 2 + _SAME_SECONDS:
            self._known = (moment, here)
        return (self._system.now() - moment).total_seconds()
