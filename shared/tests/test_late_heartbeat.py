"""A heartbeat that is late takes no task away: what this process holds is performed as soon as the lease is renewed."""

import asyncio

from shared.database import Tx
from shared.outcomes import Done, Outcome
from shared.tasks import Task
from shared.testing.facts import paid
from shared.testing.stage import PATIENCE, Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


class Late:
    """The heartbeat is late from the first commit on that leaves a task to a performer, until the next heartbeat."""

    def __init__(self, lease: object) -> None:
        self._lease = lease

    async def before_commit(self, tx: Tx) -> None:
        """Nothing."""

    def after_commit(self, tx: Tx) -> None:
        if tx.new_work and self._lease is not None:
            self._lease._renewed_at = float("-inf")  # type: ignore[attr-defined] # the lease's own
            self._lease = None

    def after_rollback(self, tx: Tx) -> None:
        """Nothing."""


async def test_a_task_is_not_lost_while_the_heartbeat_is_late(stage: Stage) -> None:
    performed = asyncio.Event()

    async def call(_task: Task[toy.Greeting]) -> Outcome[None]:
        performed.set()
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    service.database.participants.append(Late(service.task_worker._lease))
    order = paid()
    async with service.database.transaction() as tx:
        tx.schedule("greet", str(order.order_id), toy.Greeting(order=order))
    assert not performed.is_set()
    async with asyncio.timeout(PATIENCE):
        await performed.wait()
