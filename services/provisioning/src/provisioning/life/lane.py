"""One lane of due work for several deeds: cases, revocations and top-ups share it, by operator.

Each kind of work costs a look at the table every second, so deeds that are few go together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.database import Tx
from shared.work import Done, Item


class Deed(Protocol):
    """What a payload's `do` names: the two halves of a job (shared.work)."""

    async def perform(self, item: Item) -> Any: ...

    async def record(self, tx: Tx, done: Sequence[Done[Any]]) -> None: ...


class LifeLane:
    """The job `life` of one operator."""

    def __init__(self, kind: str, concurrency: int, deeds: Mapping[str, Deed]) -> None:
        self.kind = kind
        self.concurrency = concurrency
        self._deeds = deeds

    async def perform(self, item: Item) -> Any:
        """Do what the item names."""
        return await self._deeds[item.payload["do"]].perform(item)

    async def record(self, tx: Tx, done: Sequence[Done[Any]]) -> None:
        """Each deed records its own."""
        for do in sorted({one.item.payload["do"] for one in done}):
            await self._deeds[do].record(tx, [one for one in done if one.item.payload["do"] == do])
