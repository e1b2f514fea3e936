"""Task `life` of one operator: three actions share one queue, since each kind of task costs a query every second.

Its stored kind and payload are those of the first release, whose instances perform the same tasks.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from provisioning.lifecycle.models.profile import LifecyclePayload
from shared.database import Tx
from shared.outcomes import NotSent, Outcome
from shared.tasks import Task, TaskResult


class LifecycleAction(Protocol):
    """One of the actions that `LifecyclePayload.do` names: both halves of a task handler."""

    async def perform(self, task: Task[LifecyclePayload], /) -> Outcome[Any]: ...

    async def record(self, tx: Tx, results: Sequence[TaskResult[Any, LifecyclePayload]], /) -> None: ...


class LifecycleTasks:
    """Performs the actions for the profiles of one operator."""

    payload = LifecyclePayload

    def __init__(self, kind: str, concurrency: int, actions: Mapping[str, LifecycleAction]) -> None:
        self.kind = kind
        self.concurrency = concurrency
        self._actions = actions

    async def perform(self, task: Task[LifecyclePayload]) -> Outcome[Any]:
        """Perform the action that the payload names."""
        action = self._actions.get(task.payload.do)
        if action is None:
            return NotSent(f"this release has no action {task.payload.do}; an instance of a newer one performs it")
        return await action.perform(task)

    async def record(self, tx: Tx, results: Sequence[TaskResult[Any, LifecyclePayload]]) -> None:
        """Let each action record its own results."""
        for do in sorted({result.task.payload.do for result in results}):
            await self._actions[do].record(tx, [result for result in results if result.task.payload.do == do])
