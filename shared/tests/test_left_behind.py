"""A new process takes over at once what a killed one held, where the lease has expired while it started."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from shared.ids import uuid7
from shared.kernel.service import Service
from shared.outcomes import Done, Outcome
from shared.tasks import Task, leases
from shared.testing.facts import paid
from shared.testing.stage import PATIENCE, Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

NEVER = 3600.0


async def leave_behind(service: Service) -> None:
    """A task as a killed process leaves it, whose lease has expired."""
    dead: UUID = uuid7()
    order = paid()
    async with service.database.transaction() as tx:
        later = tx.now + timedelta(hours=1)
        tx.schedule("greet", str(order.order_id), toy.Greeting(order=order), due_at=later)
    async with service.database.transaction() as tx:
        await tx.execute("UPDATE work SET owner = :dead, due_at = :now", dead=dead, now=tx.now)
        await tx.execute(
            "INSERT INTO instances (id, expires_at) VALUES (:dead, clock_timestamp() - interval '1 second')", dead=dead
        )


class Calls:
    """The toy's call outside; it notes whether the first one came as uncertain."""

    def __init__(self) -> None:
        self.first: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def __call__(self, task: Task[toy.Greeting]) -> Outcome[None]:
        if not self.first.done():
            self.first.set_result(task.uncertain)
        return Done(None)


async def test_a_new_process_takes_over_when_it_registers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_SECONDS", NEVER)
    calls = Calls()
    first = await stage.service(lambda settings: toy.build(settings, call=calls), Settings)
    await leave_behind(first)
    same = first.settings.database_url
    await stage.service(lambda settings: toy.build(settings, call=calls), Settings, database_url=same)
    async with asyncio.timeout(PATIENCE):
        assert await calls.first, "what a killed process held may have been called"
