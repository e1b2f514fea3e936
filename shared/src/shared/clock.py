"""The clock, passed to code that needs the time; rules never read the system clock."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Returns the present moment, always aware and in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The system clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
