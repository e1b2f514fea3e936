"""The words of due work: an item, the job that performs it, and how a call may end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from shared.database import Tx
from shared.telemetry.tracing import Span

R = TypeVar("R")


@dataclass(slots=True)
class Task:
    """A piece of due work in hand.

    `uncertain` is true when an earlier call may have happened without our knowing how it ended (a crash, a lost
    reply): the job must ask the other side before it does anything again.
    """

    id: UUID
    kind: str
    key: str
    payload: Mapping[str, Any]
    attempts: int
    uncertain: bool
    trace: str | None
    created_at: datetime
    span: Span | None = None

    @property
    def continues(self) -> str | None:
        """The traceparent for calls and events that follow from this item."""
        return self.span.traceparent if self.span else self.trace


@dataclass(slots=True)
class TaskResult(Generic[R]):
    """An item and what the outside world answered."""

    task: Task
    result: R


class NotNow(Exception):  # noqa: N818 - an outcome, not an error
    """The other side surely did nothing; try again after a jittered, growing pause (or after `delay`)."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class Later(NotNow):
    """Nothing failed: look again after `delay` (a timer that is not over). Attempts are not counted."""

    def __init__(self, delay: timedelta, reason: str = "waiting") -> None:
        super().__init__(reason, delay=delay)


class Unknown(Exception):  # noqa: N818 - an outcome, not an error
    """Nobody here knows whether the other side did it. The next attempt sees `item.uncertain`."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class NeedsPersonError(Exception):
    """No attempt of ours can settle this: the item is parked, visibly, for a person."""


class TaskHandler(Protocol[R]):
    """One kind of work. `perform` talks to the outside and holds no transaction; `record` writes what came of it.

    `perform` returns a result when the outcome is known, and otherwise raises NotNow, Later, Unknown or
    NeedsPersonError; any other exception counts as Unknown. `record` gets all results that are ready, in the one
    transaction that also removes their rows; results of a lease that has gone are left out before it is called.
    """

    kind: str
    concurrency: int

    async def perform(self, task: Task) -> R: ...

    async def record(self, tx: Tx, done: Sequence[TaskResult[R]]) -> None: ...
