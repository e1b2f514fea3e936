"""The queue of a kind of work: whoever waits for the next look can always be told to stop."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.database import Tx
from shared.tasks import Task, TaskResult
from shared.tasks.queue import TaskQueue


class Nothing:
    """A task handler that is never performed here."""

    kind = "nothing"
    concurrency = 1

    async def perform(self, task: Task) -> None:
        """Not called."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Not called."""


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_woken_while_being_cancelled_stops(turns: int) -> None:
    """So many turns of the loop lie between the two. Where the second one is lost, the service never stops."""
    queue = TaskQueue(Nothing())

    async def claim() -> None:
        while True:
            await queue.pause(30)

    claiming = asyncio.create_task(claim())
    for _ in range(10):
        await asyncio.sleep(0)  # it waits by now
    queue.wake()
    for _ in range(turns):
        await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait([claiming], timeout=10)
    assert claiming.cancelled()
