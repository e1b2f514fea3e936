"""A circuit breaker: calls to an operator that does not answer are held back, and one call at a time tests it.

closed --failures in a row--> open --pause over--> half open: one probe --answered--> closed; --not answered--> open
again, for twice as long. Pure: every method takes the time (monotonic seconds).
"""

import random
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "half_open", "open"]


def _jitter() -> float:
    return random.uniform(0.8, 1.2)  # noqa: S311 - so that instances do not probe in step


class CircuitBreaker:
    """Counts calls without an answer. An admitted call reports `succeeded`, `failed`, or (cancelled) `dropped`."""

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
        """The state for a call now."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half_open"

    def wait(self, now: float) -> float:
        """Seconds until a call may be admitted; 0: now. Changes nothing."""
        if self._open_until is None:
            return 0.0
        until = max(self._open_until, self._probe_until or 0.0)
        return max(0.0, until - now)

    def enter(self, now: float) -> bool:
        """Whether the call is admitted. While half open it is the probe; no other is admitted before it has ended."""
        if self._open_until is None:
            return True
        if self.wait(now) > 0:
            return False
        self._probe_until = now + self._probe_seconds  # a probe that never reports must not hold calls back for ever
        return True

    def succeeded(self) -> None:
        """The operator answered, even if it refused."""
        self._failures = 0
        self._pause = self._first
        self._open_until = self._probe_until = None

    def failed(self, now: float) -> None:
        """There was no answer. Calls that were under way when the breaker opened are not counted."""
        if self._open_until is None:
            self._failures += 1
            if self._failures >= self._limit:
                self._open(now)
        elif self._probe_until is not None:
            self._pause = min(self._longest, self._pause * 2)
            self._open(now)

    def dropped(self) -> None:
        """The call ended without proving anything about the operator (it was cancelled)."""
        self._probe_until = None

    def _open(self, now: float) -> None:
        self._probe_until = None
        self._open_until = now + self._pause * self._jitter()
