"""Services are killed, frozen, stopped, doubled and redeployed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from campaign.scene import NotPossibleError, Record, Scene, lifted
from campaign.schedule import SERVICES, Fault
from local_stack.stack import Part

#: Of Debian's package libfaketime.
_FAKETIME = "usr/lib/*/faketime/libfaketimeMT.so.1"
#: Hours and more, a change to or from summer time, a leap second.
_MOVED = ("+1h", "-1h", "+3h", "-3h", "+1", "-1", "+26h")


async def kill(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9`, and a new start a moment later."""
    async with scene.holding(fault.target):
        await _kill_and_start(scene, fault.target, fault.seconds, record)


async def kill_amid_start(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9`, and again while the new process is starting."""
    async with scene.holding(fault.target):
        part = scene.stack.parts[fault.target]
        part.kill()
        starting = asyncio.create_task(part.start())
        await asyncio.sleep(fault.seconds)
        part.kill()
        record.kills += 2
        await asyncio.gather(starting, return_exceptions=True)
        lifted(record)
        await scene.start(fault.target, record)


async def kill_all(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9` for all services at once."""
    async with scene.holding(*SERVICES):
        for service in SERVICES:
            scene.stack.parts[service].kill()
            record.kills += 1
        await asyncio.sleep(fault.seconds)
        lifted(record)
        await asyncio.gather(*(scene.start(service, record) for service in SERVICES))


async def _kill_and_start(scene: Scene, service: str, seconds: float, record: Record) -> None:
    scene.stack.parts[service].kill()
    record.kills += 1
    await asyncio.sleep(seconds)
    lifted(record)
    await scene.start(service, record)


async def stopped(scene: Scene, fault: Fault, record: Record) -> None:
    """A service is away for long: a backlog grows."""
    async with scene.holding(fault.target):
        await scene.stack.parts[fault.target].stop()
        await asyncio.sleep(fault.seconds)
        lifted(record)
        await scene.start(fault.target, record)


async def frozen(scene: Scene, fault: Fault, record: Record) -> None:
    """SIGSTOP, and SIGCONT within or beyond leases and sessions."""
    async with scene.holding(fault.target):
        scene.stack.parts[fault.target].pause()
        await asyncio.sleep(fault.seconds)
        scene.stack.parts[fault.target].resume()
        lifted(record)


async def taken_over(scene: Scene, fault: Fault, record: Record) -> None:
    """A second instance takes over what a frozen one has; then the frozen one wakes up."""
    async with scene.holding(fault.target), _second(scene, fault.target) as second:
        await second.start()
        scene.stack.parts[fault.target].pause()
        await asyncio.sleep(fault.seconds)
        scene.stack.parts[fault.target].resume()
        lifted(record)
        await asyncio.sleep(1)


async def storm(scene: Scene, fault: Fault, record: Record) -> None:
    """Second instances join and leave, in good order and by `kill -9`: partitions change hands again and again."""
    rng = random.Random(fault.seed)
    async with scene.holding(fault.target):
        for _ in range(3):
            async with _second(scene, fault.target) as second:
                await second.start()
                await asyncio.sleep(rng.uniform(0, fault.seconds / 3))
                if rng.random() < 0.5:
                    second.kill()
                    record.kills += 1
        lifted(record)


async def redeployed(scene: Scene, fault: Fault, record: Record) -> None:
    """A rolling restart: the new instance is ready before the old one goes."""
    async with scene.holding(fault.target), _second(scene, fault.target) as second:
        await second.start()
        await scene.stack.parts[fault.target].stop()
        await asyncio.sleep(fault.seconds)
        await scene.start(fault.target, record)
        lifted(record)


async def clock_moved(scene: Scene, fault: Fault, record: Record) -> None:
    """A second instance runs with another time of day; then the first one goes on alone."""
    library = _faketime()
    if library is None:
        raise NotPossibleError("libfaketime is not installed (Debian: libfaketime)")
    moved = random.Random(fault.seed).choice(_MOVED)
    changes = {"LD_PRELOAD": str(library), "FAKETIME": moved, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    async with scene.holding(fault.target), _second(scene, fault.target, **changes) as second:
        await second.start()
        await scene.stack.parts[fault.target].stop()
        await asyncio.sleep(fault.seconds)
        await scene.start(fault.target, record)
        lifted(record)


def _faketime() -> Path | None:
    return next(iter(sorted(Path("/").glob(_FAKETIME))), None)


@asynccontextmanager
async def _second(scene: Scene, service: str, **changes: str) -> AsyncIterator[Part]:
    second = scene.stack.second(service, **changes)
    try:
        yield second
    finally:
        await second.stop()
