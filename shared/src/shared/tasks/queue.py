"""The queue of one kind of work in this process: what is held, how much room is left, when to look again."""

import asyncio
import time
from collections import deque
from typing import Any
from uuid import UUID

from shared.tasks.exceptions import RaisingTaskHandler
from shared.tasks.models import Task, TaskHandler


class TaskQueue:
    """Items of one kind that this process has leased."""

    def __init__(self, handler: TaskHandler[Any, Any] | RaisingTaskHandler) -> None:
        self.handler = handler
        #: Enough to keep all performers busy between two claims, little enough to share with other instances.
        self._capacity = max(1000, handler.concurrency * 4)
        self._queue: deque[Task[Any]] = deque()
        self._held: set[UUID] = set()
        self._reserved = 0
        self._more = False
        self._filled = asyncio.Event()
        self._look = asyncio.Event()
        self._look_at = 0.0

    @property
    def held(self) -> int:
        return len(self._held)

    def room(self) -> int:
        """How many more items may be taken."""
        return max(0, self._capacity - len(self._held) - self._reserved)

    def reserve(self) -> bool:
        """Keep a place for an item whose row is not committed yet."""
        if self.room():
            self._reserved += 1
            return True
        return False

    def unreserve(self) -> None:
        self._reserved -= 1

    def put(self, task: Task[Any]) -> None:
        self._held.add(task.id)
        self._queue.append(task)
        self._filled.set()

    async def next(self) -> Task[Any]:
        """The next item, in the order of arrival."""
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue.popleft()

    def forget(self, task: Task[Any]) -> None:
        """The item is recorded or handed back."""
        self._held.discard(task.id)
        self._take_more()

    def empty(self) -> list[Task[Any]]:
        """Take out all items that nobody has begun."""
        unbegun = list(self._queue)
        self._queue.clear()
        for task in unbegun:
            self._held.discard(task.id)
        return unbegun

    def full(self) -> None:
        """Rows may be waiting for which there is no room: look when half of it is free, and nobody is idle yet."""
        self._more = True
        self._take_more()

    def _take_more(self) -> None:
        if self._more and self.room() * 2 >= self._capacity:
            self._more = False
            self.wake()

    def wake(self) -> None:
        """Look for due rows at once."""
        self.expect(0)

    def expect(self, seconds: float) -> None:
        """A row of this kind becomes due in so many seconds: be there."""
        at = time.monotonic() + max(0.0, seconds)
        if not self._look_at or at < self._look_at:
            self._look_at = at
            self._look.set()

    async def pause(self, longest: float) -> None:
        """Wait until the next look at the table is worth it, at most `longest` seconds."""
        end = time.monotonic() + longest
        while (now := time.monotonic()) < end:
            if self._look_at and self._look_at <= now:
                break
            until = min(end, self._look_at) if self._look_at else end
            self._look.clear()
            try:
                # Not wait_for: up to Python 3.11 it forgets that it was cancelled if it was woken at that moment.
                async with asyncio.timeout(until - now):
                    await self._look.wait()
            except TimeoutError:
                break
        self._look_at = 0.0
