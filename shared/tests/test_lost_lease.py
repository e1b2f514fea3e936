"""An attempt whose lease is lost makes no further call: another process has its task."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from shared.attempts import LeaseLostError, lease
from shared.ids import uuid7
from shared.kernel.outbound import OutboundClient
from shared.outcomes import Done, Outcome
from shared.task_payload import stored
from shared.tasks import Task, store, worker
from shared.testing.facts import paid
from shared.testing.stage import PATIENCE, Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


class Answering:
    """Answers each request, on connections that stay open, and keeps their first lines."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).split(b" ")[1])
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()


@pytest.fixture
async def outside() -> AsyncIterator[Answering]:
    answering = Answering()
    async with await asyncio.start_server(answering.serve, "127.0.0.1", 0) as server:
        answering.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield answering


async def test_no_byte_is_sent_without_the_lease_and_the_connection_is_not_lost(outside: Answering) -> None:
    held = True

    async def holds() -> bool:
        return held

    async with OutboundClient(seconds=PATIENCE, limits=httpx.Limits(max_connections=1)) as client:
        token = lease.set(holds)
        await client.get(f"{outside.url}/first")
        held = False
        for _ in range(2):
            with pytest.raises(LeaseLostError):
                await client.get(f"{outside.url}/second")
        lease.reset(token)
        await client.get(f"{outside.url}/third")
    assert outside.requests == [b"/first", b"/third"]


async def test_an_attempt_that_wakes_up_after_its_lease_ends_before_its_next_call(
    stage: Stage, outside: Answering
) -> None:
    attempts = 0

    async def call(_task: Task[toy.Greeting]) -> Outcome[None]:
        nonlocal attempts
        attempts += 1
        attempt = attempts
        async with OutboundClient(seconds=PATIENCE) as client:
            await client.get(f"{outside.url}/{attempt}-first")
            if attempt == 1:  # as after a pause: the lease has expired, and another process knows
                async with service.database.transaction() as tx:
                    await tx.execute("DELETE FROM instances")
                service.task_worker._lease._renewed_at = float("-inf")
            await client.get(f"{outside.url}/{attempt}-second")
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    order = paid()
    async with service.database.transaction() as tx:
        tx.schedule("greet", str(order.order_id), toy.Greeting(order=order))

    async def ended() -> bool:
        async with service.database.reading() as tx:
            return not (await tx.execute("SELECT 1 FROM work")).all()

    await stage.eventually(ended)
    assert outside.requests == [b"/1-first", b"/2-first", b"/2-second"]
    assert service.metrics.fenced._value.get() == 1


async def test_tasks_of_an_expired_lease_are_claimed_at_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose lease it was makes no difference: nobody waits for the next poll."""
    for pause in ("POLL_SECONDS", "_LONGEST_PAUSE"):
        monkeypatch.setattr(worker, pause, 3600.0)
    go_on, attempts = asyncio.Event(), list[bool]()

    async def call(task: Task[toy.Greeting]) -> Outcome[None]:
        attempts.append(task.uncertain)
        await go_on.wait()
        return Done(None)

    service = await stage.service(lambda settings: toy.build(settings, call=call), Settings)
    own, of_a_killed_one, killed = paid(), paid(), uuid7()
    async with service.database.transaction() as tx:
        tx.schedule("greet", str(own.order_id), toy.Greeting(order=own))
        payload = stored(toy.Greeting(order=of_a_killed_one))
        row = store.NewRow(uuid7(), "greet", str(of_a_killed_one.order_id), payload, tx.now, killed, None)
        await store.insert(tx, [row])
    async with service.database.transaction() as tx:
        await store.register(tx, killed)
        await tx.execute("UPDATE instances SET expires_at = clock_timestamp() - interval '1 second'")

    async def both_again() -> bool:
        return attempts == [False, True, True]

    await stage.eventually(both_again)
    go_on.set()

    async def ended() -> bool:
        async with service.database.reading() as tx:
            return not (await tx.execute("SELECT 1 FROM work")).all()

    await stage.eventually(ended)
    assert service.metrics.fenced._value.get() == 1
