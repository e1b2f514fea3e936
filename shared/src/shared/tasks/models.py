"""A task, the handler that performs it, and the result that the handler records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Protocol
from uuid import UUID

from typing_extensions import TypeVar  # Python 3.13's: type variables with a default

from shared.database import Tx
from shared.outcomes import Done, Outcome, Refused
from shared.task_payload import TaskPayload
from shared.telemetry.tracing import Span

R = TypeVar("R")
#: The payload's model; by default the stored mapping, as a row is before its handler's model has parsed it.
P = TypeVar("P", default=Mapping[str, Any])
ModelT = TypeVar("ModelT", bound=TaskPayload)


@dataclass(slots=True)
class Task(Generic[P]):
    """A task that this process performs now. `kind` and `key` name the intended effect.

    `uncertain` is true when an earlier attempt may have reached the other side and its outcome is unknown (a crash, a
    lost reply): the handler must ask the other side before it repeats the call.
    """

    id: UUID
    kind: str
    key: str
    payload: P
    attempts: int
    uncertain: bool
    trace: str | None
    created_at: datetime
    span: Span | None = None

    @property
    def continues(self) -> str | None:
        """The traceparent for calls and events that follow from this task."""
        return self.span.traceparent if self.span else self.trace


@dataclass(slots=True)
class TaskResult(Generic[R, P]):
    """A task and its final outcome: what `record` writes."""

    task: Task[P]
    outcome: Done[R] | Refused

    @property
    def result(self) -> R:
        """The value of `Done`, for handlers that never return `Refused`."""
        if isinstance(self.outcome, Refused):
            raise TypeError(f"task {self.task.kind} was refused: {self.outcome.code}")
        return self.outcome.value


class TaskHandler(Protocol[R, ModelT]):
    """Performs one kind of task.

    `perform` calls the outside and holds no transaction. `record` writes all final outcomes that are ready, in the
    one transaction that also removes their rows; results whose lease has expired are left out before it is called.
    What every outcome means for the task stands in `shared.outcomes`.
    """

    kind: str
    concurrency: int
    payload: type[ModelT]

    async def perform(self, task: Task[ModelT], /) -> Outcome[R]: ...

    async def record(self, tx: Tx, results: Sequence[TaskResult[R, ModelT]], /) -> None: ...


class RecordOnly:
    """The `perform` of handlers that call no system outside: all of their work belongs to `record`'s transaction."""

    async def perform(self, _task: Task[Any], /) -> Done[None]:
        return Done(None)
