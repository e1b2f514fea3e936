"""The queue of one kind of task: waiting for the next claim can always be cancelled."""

import asyncio
from collections.abc import Sequence

import pytest

from shared.database import Tx
from shared.outcomes import Outcome
from shared.task_payload import TaskPayload
from shared.tasks import Task, TaskResult
from shared.tasks.queue import TaskQueue


class Nothing:
    """A task handler that is never performed here."""

    kind = "nothing"
    concurrency = 1
    payload = TaskPayload

    async def perform(self, _task: Task[TaskPayload]) -> Outcome[None]:
        raise NotImplementedError

    async def record(self, _tx: Tx, _results: Sequence[TaskResult[None, TaskPayload]]) -> None:
        raise NotImplementedError


@pytest.mark.parametrize("turns", range(6))
async def test_a_pause_that_is_woken_while_it_is_cancelled_ends(turns: int) -> None:
    """`turns` of the event loop lie between the two. If the cancellation were lost, the service would never stop."""
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
