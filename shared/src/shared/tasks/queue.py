"""The queue of one kind of task in this process: the tasks it holds, the room left, and when to claim more."""

import asyncio
import time
from collections import deque
from typing import Any
from uuid import UUID

from shared.tasks.models import Task, TaskHandler


class TaskQueue:
    """Tasks of one kind that this process has leased: waiting ones, and those being performed or recorded."""

    def __init__(self, handler: TaskHandler[Any, Any]) -> None:
        self.handler = handler
        #: Enough to keep all performers busy between two claims, few enough to share with other instances.
        self._capacity = max(1000, handler.concurrency * 4)
        self._waiting: deque[Task[Any]] = deque()
        self._held: set[UUID] = set()
        self._reserved = 0
        self._more_in_table = False
        self._filled = asyncio.Event()
        self._claim_moved = asyncio.Event()
        #: Attempts in progress, by performer: when each began (monotonic clock), and the task.
        self._attempts: dict[asyncio.Task[Any] | None, tuple[float, UUID]] = {}
        #: Performers whose attempt hangs: they were cancelled, and may not have returned yet.
        self._hung: set[asyncio.Task[Any] | None] = set()
        self._hung_in_row = 0
        #: When to claim next, by the monotonic clock; 0 where no row is expected.
        self._claim_at = 0.0

    @property
    def held(self) -> int:
        """How many tasks are waiting, being performed or being recorded."""
        return len(self._held)

    def room(self) -> int:
        """How many more tasks may be taken."""
        return max(0, self._capacity - len(self._held) - self._reserved)

    def reserve(self) -> bool:
        """Reserve a place for a task whose row is not committed yet. False when there is no room."""
        if self.room():
            self._reserved += 1
            return True
        return False

    def unreserve(self) -> None:
        """Give a reserved place back."""
        self._reserved -= 1

    def put(self, task: Task[Any]) -> None:
        """Add a leased task."""
        self._held.add(task.id)
        self._waiting.append(task)
        self._filled.set()

    async def next(self) -> Task[Any]:
        """The next task, in the order of arrival; waits for one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting.popleft()

    def begin(self, task: Task[Any]) -> None:
        """The calling performer begins an attempt. After a lost lease two performers may have the same task."""
        self._attempts[asyncio.current_task()] = (time.monotonic(), task.id)

    def end(self) -> None:
        """The attempt of the calling performer has ended, by itself or because it hung."""
        performer = asyncio.current_task()
        del self._attempts[performer]
        if performer in self._hung:
            self._hung.discard(performer)
        else:
            self._hung_in_row = 0

    def hangs(self) -> bool:
        """Whether the attempt of the calling performer was cancelled because it hung."""
        return asyncio.current_task() in self._hung

    def cancel_hanging(self, longest: float) -> list[UUID]:
        """Cancel attempts that have taken longer than so many seconds. Returns their tasks, each attempt once."""
        before = time.monotonic() - longest
        found = {
            performer: task_id
            for performer, (began, task_id) in self._attempts.items()
            if began < before and performer not in self._hung
        }
        for performer in found:
            self._hung.add(performer)
            self._hung_in_row += 1
            if performer is not None:
                performer.cancel()
        return list(found.values())

    @property
    def all_hang(self) -> bool:
        """Whether as many attempts as there are performers have hung since one ended by itself."""
        return self._hung_in_row >= self.handler.concurrency

    def forget(self, task: Task[Any]) -> None:
        """The task was recorded, set back or given up."""
        self._held.discard(task.id)
        self._claim_when_half_empty()

    def empty(self) -> list[Task[Any]]:
        """Take out all tasks that no performer has started."""
        unstarted = list(self._waiting)
        self._waiting.clear()
        for task in unstarted:
            self._held.discard(task.id)
        return unstarted

    def full(self) -> None:
        """More rows may be due than there is room for: claim again as soon as half of the room is free."""
        self._more_in_table = True
        self._claim_when_half_empty()

    def _claim_when_half_empty(self) -> None:
        if self._more_in_table and self.room() * 2 >= self._capacity:
            self._more_in_table = False
            self.wake()

    def wake(self) -> None:
        """Claim due rows at once."""
        self.expect(0)

    def expect(self, seconds: float) -> None:
        """A row of this kind becomes due in so many seconds: claim it then."""
        at = time.monotonic() + max(0.0, seconds)
        if not self._claim_at or at < self._claim_at:
            self._claim_at = at
            self._claim_moved.set()

    async def pause(self, longest: float) -> None:
        """Wait until the next claim is worth it, at most `longest` seconds."""
        end = time.monotonic() + longest
        while (now := time.monotonic()) < end:
            if self._claim_at and self._claim_at <= now:
                break
            until = min(end, self._claim_at) if self._claim_at else end
            self._claim_moved.clear()
            try:
                # Not wait_for: up to Python 3.11 it loses a cancellation that arrives together with the event.
                async with asyncio.timeout(until - now):
                    await self._claim_moved.wait()
            except TimeoutError:
                break
        self._claim_at = 0.0
