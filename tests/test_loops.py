"""Every background loop of every service is seen where it stands still: its step never ends, or always fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from access.services import built
from local_stack.product import OPERATIONS, SERVICES, Component
from shared.ids import uuid7
from shared.kernel.service import Repeating, Service
from shared.keys.shop_keys import ShopKeys
from shared.supervision import STALLED_SECONDS, Loop

#: Loops of services by their owner; each is started with all the rest of its service.
KNOWN = {
    "notifications": {"erasurejobs", "orderfollowers", "shopkeys"},
    "operations": {"deleteoldrecords", "evaluateinvariants"},
    "ordering": {"deliverwebhooks", "shopkeys"},
    "payments": {"scheduledjobs", "shopkeys"},
    "provisioning": {"adoption", "dueprofiles", "refill"},
    "refunds": {"casejobs", "clean", "deadlinealerts", "mailjobs", "shopkeys"},
}


class Time:
    """A clock of its own: a pause takes no time, and the clock goes on by it."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def _loops(service: Service) -> list[tuple[str, Repeating]]:
    for _, loop in service._loops:
        owner = getattr(loop, "__self__", None)
        # The pages' loop has nothing to do before somebody follows an order.
        if (any_page := getattr(owner, "_any_page", None)) is not None:
            any_page.set()
        # Nor has that of the shops' keys before one is used.
        if isinstance(owner, ShopKeys):
            owner._used[uuid7()] = datetime.now(UTC)
    return service._loops


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - time stands still here, there is no event
            await asyncio.sleep(0)


@asynccontextmanager
async def _hanging(*_: object) -> AsyncIterator[None]:
    await asyncio.Event().wait()
    yield


@asynccontextmanager
async def _failing(*_: object) -> AsyncIterator[None]:
    if fault := KeyError("always"):
        raise fault
    yield


async def test_these_are_all_loops() -> None:
    found: dict[str, set[str]] = {}
    for name, service in (await built([*SERVICES, OPERATIONS])).items():
        for loop, _ in service._loops:
            found.setdefault(name, set()).add(loop.split(".")[1])
    assert {name: known - {"refill"} for name, known in KNOWN.items()} == {  # without stock there is no refill
        name: loops - {"refill"} for name, loops in found.items()
    }


@pytest.mark.parametrize("component", [*SERVICES, OPERATIONS], ids=lambda component: component.name)
@pytest.mark.parametrize("fault", [_hanging, _failing])
async def test_a_loop_that_makes_no_progress_is_seen(
    component: Component, fault: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = (await built([component]))[component.name]
    monkeypatch.setattr(service.database, "transaction", fault)
    monkeypatch.setattr(service.database, "reading", fault)
    monkeypatch.setattr("notifications.account.live._QUERY_SECONDS", 0.0)
    for name, run in _loops(service):
        time = Time()
        loop = Loop(name, lambda time=time: time.now, time.sleep)  # type: ignore[misc] # mypy sees no type of a default
        task = asyncio.create_task(run(loop))
        parts = loop.parts
        await _until(lambda parts=parts: any(part._begun is not None for part in parts))  # type: ignore[misc] # as above
        assert not any(part.problem() for part in loop.parts), f"{name} has only begun"
        time.now += 2 * STALLED_SECONDS
        await asyncio.sleep(0)
        assert any(part.problem() for part in loop.parts), f"{name} has made no step for a minute"
        assert not task.done(), f"{name} goes on"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_job_that_always_fails_is_seen_beside_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    service = (await built(SERVICES))["payments"]
    [(name, run)] = [(name, run) for name, run in service._loops if name.endswith(".scheduledjobs.0")]
    jobs, time = run.__self__, Time()  # type: ignore[attr-defined] # a method's object

    async def step(name: str, _: object) -> bool:
        if name == "balance":
            raise KeyError
        return False

    monkeypatch.setattr(jobs, "_step", step)
    monkeypatch.setattr(jobs, "_refresh_gauges", lambda: asyncio.sleep(0))
    loop = Loop(name, lambda: time.now, time.sleep)
    task = asyncio.create_task(run(loop))
    await _until(lambda: time.now > 2 * STALLED_SECONDS)
    assert [part.name for part in loop.parts if part.problem()] == [f"{name}.balance"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
