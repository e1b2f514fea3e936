"""One lane of due work for several deeds: cases, revocations and top-ups share it, by operator.

Each kind of work costs a look at the table every second, so deeds that are few go together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.database import Tx
from shared.tasks import Task, TaskResult


class Deed(Protocol):
    """What a payload's `do` names: the two halves of a job (shared.tasks)."""

    async def perform(self, task: Task) -> Any: ...

    async def record(self, tx: Tx, done: Sequence[TaskResult[Any]]) -> None: ...


class LifecycleTasks:
    """The job `life` of one operator."""

    def __init__(self, kind: str, concurrency: int, deeds: Mapping[str, Deed]) -> None:
        self.kind = kind
        self.concurrency = concurrency
        self._deeds = deeds

    async def perform(self, task: Task) -> Any:
        """Do what the item names."""
        return await self._deeds[task.payload["do"]].perform(task)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Any]]) -> None:
        """Each deed records its own."""
        for do in sorted({one.task.payload["do"] for one in done}):
            await self._deeds[do].record(tx, [one for one in done if one.task.payload["do"] == do])
