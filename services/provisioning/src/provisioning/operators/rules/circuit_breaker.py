"""A circuit breaker: an operator that answers nobody is left alone, and tried by one call at a time.

closed --so many failures in a row--> open --pause over--> half open: one probe --it answers--> closed; --it does not-->
open again, for twice as long. Pure: every method is told the time (monotonic seconds).
"""

import random
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "half_open", "open"]


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - so that instances do not probe in step


class CircuitBreaker:
    """Counts calls without an answer. A call that was let through reports `succeeded`, `failed`, or (cut) `dropped`."""

    def __init__(
        self,
        failures: int,
        first_seconds: float,
        longest_seconds: float,
        *,
        probe_seconds: float = 30.0,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._limit = failures
        self._first = first_seconds
        self._longest = longest_seconds
        self._probe_seconds = probe_seconds
        self._jitter = jitter
        self._failures = 0
        self._pause = first_seconds
        self._open_until: float | None = None
        self._probe_until: float | None = None

    def state(self, now: float) -> State:
        """As it would meet a call now."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def wait(self, now: float) -> float:
        """Seconds until a call may be let through; 0: now. Changes nothing."""
        if self._open_until is None:
            return 0.0
        until = max(self._open_until, self._probe_until or 0.0)
        return max(0.0, until - now)

    def enter(self, now: float) -> bool:
        """Let a call through, or not. While half open it is the probe, and no other enters before it has ended."""
        if self._open_until is None:
            return True
        if self.wait(now) > 0:
            return False
        self._probe_until = now + self._probe_seconds  # a probe that never reports must not close the door for ever
        return True

    def succeeded(self) -> None:
        """The operator answered, whatever it said."""
        self._failures = 0
        self._pause = self._first
        self._open_until = self._probe_until = None

    def failed(self, now: float) -> None:
        """No answer. Calls that were under way when it opened say nothing new."""
        if self._open_until is None:
            self._failures += 1
            if self._failures >= self._limit:
                self._open(now)
        elif self._probe_until is not None:
            self._pause = min(self._longest, self._pause * 2)
            self._open(now)

    def dropped(self) -> None:
        """The call ended without telling anything about the operator (we were stopped)."""
        self._probe_until = None

    def _open(self, now: float) -> None:
        self._probe_until = None
        self._open_until = now + self._pause * self._jitter()
