"""What ought to happen, and how the tour says that it did not."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

Found = TypeVar("Found")
POLL_SECONDS = 0.05


class UnmetError(Exception):
    """An expectation did not come true. The text is one sentence; `logs` names the parts to look at."""

    def __init__(self, sentence: str, *logs: str) -> None:
        super().__init__(sentence)
        self.logs = logs


class NotShownError(Exception):
    """An act cannot be performed on this machine, because a tool is missing. The text names it and how to get it."""


@dataclass
class Outcome:
    """How an act ended. `seconds` is its whole duration; it is ok when everything in it went as expected.

    `not_shown` is the reason why the act could not be performed here at all; then nothing is known of what it shows.
    """

    name: str
    orders: int = 0
    delivered: int = 0
    refunded: int = 0
    seconds: float = 0.0
    unmet: list[str] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    not_shown: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing went wrong; an act that was not shown has not failed."""
        return not self.unmet

    def failed(self, sentence: str, *logs: str) -> None:
        """Note what did not come true, and the parts whose logs may say why."""
        self.unmet.append(sentence)
        self.logs += [log for log in logs if log not in self.logs]

    def expect(self, true: bool, sentence: str, *logs: str) -> None:
        """Note the sentence unless it is so."""
        if not true:
            self.failed(f"expected that {sentence}", *logs)

    def expect_nothing(self, findings: Sequence[str], *logs: str) -> None:
        """Note each finding of a check."""
        for finding in findings:
            self.failed(finding, *logs)


async def until(
    probe: Callable[[], Awaitable[Found | None]],
    sentence: str,
    *logs: str,
    seconds: float = 30.0,
    every: float = POLL_SECONDS,
) -> Found:
    """Ask until there is an answer and return it. `sentence` completes "expected that …".

    Raises UnmetError after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = await probe()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise UnmetError(f"expected that {sentence}, but not within {seconds:.0f} s", *logs)
        await asyncio.sleep(every)
