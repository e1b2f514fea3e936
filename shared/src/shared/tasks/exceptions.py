"""How task handlers reported outcomes before `shared.outcomes`: accepted until all services return outcomes.

A handler of this kind returns its bare result when the outcome is final, and otherwise raises. It names no payload
model, so its tasks carry the stored mapping.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

from shared import outcomes
from shared.database import Tx
from shared.tasks.models import Task, TaskResult

_FAMILY = (
    outcomes.Done,
    outcomes.Refused,
    outcomes.NotSent,
    outcomes.NotDue,
    outcomes.Unknown,
    outcomes.NeedsPerson,
)


class NotNow(Exception):  # noqa: N818 - an outcome, not an error
    """Becomes `outcomes.NotSent`."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class Later(NotNow):
    """Becomes `outcomes.NotDue`."""

    def __init__(self, delay: timedelta, reason: str = "waiting") -> None:
        super().__init__(reason, delay=delay)


class Unknown(Exception):  # noqa: N818 - an outcome, not an error
    """Becomes `outcomes.Unknown`."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class NeedsPersonError(Exception):
    """Becomes `outcomes.NeedsPerson`."""


class RaisingTaskHandler(Protocol):
    """A task handler that returns bare results and raises the exceptions above."""

    kind: str
    concurrency: int

    async def perform(self, task: Task, /) -> Any: ...

    async def record(self, tx: Tx, results: Sequence[TaskResult[Any]], /) -> None: ...


def from_result(result: Any) -> outcomes.Outcome[Any]:
    """The outcome itself, or a bare result as `Done`."""
    if isinstance(result, _FAMILY):
        return result
    return outcomes.Done(result)


def from_exception(error: Exception) -> outcomes.Unsettled | None:
    """The outcome that an exception stands for; None where it is a fault of ours."""
    match error:
        case Later():
            return outcomes.NotDue(error.delay or timedelta(0), str(error))
        case NotNow():
            return outcomes.NotSent(str(error), error.delay)
        case Unknown():
            return outcomes.Unknown(str(error), error.delay)
        case NeedsPersonError():
            return outcomes.NeedsPerson(str(error))
        case _:
            return None
