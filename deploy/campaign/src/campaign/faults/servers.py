"""Kafka and Postgres are killed, restarted, paused, and find their disks full.

Of three brokers one is struck; of a primary and its standby the primary.
"""

import asyncio
import random
import shutil
import time
from pathlib import Path
from typing import cast

from campaign.scene import NotPossibleError, Record, Scene, lifted
from campaign.schedule import Fault
from local_stack.postgres_pair import PostgresPair

_BLOCK = 1 << 20


async def kafka_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9` of the broker."""
    await _killed(scene, _broker(scene, fault), fault.seconds, record)


async def postgres_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9` of the database server and all its backends."""
    await _killed(scene, "postgres", fault.seconds, record)


async def kafka_restarted(scene: Scene, fault: Fault, record: Record) -> None:
    """The broker stops in good order and comes back."""
    await _restarted(scene, _broker(scene, fault), fault.seconds, record)


async def postgres_restarted(scene: Scene, fault: Fault, record: Record) -> None:
    """The database server stops in good order and comes back."""
    await _restarted(scene, "postgres", fault.seconds, record)


async def kafka_paused(scene: Scene, fault: Fault, record: Record) -> None:
    """The broker stands still: its connections stay open."""
    await _paused(scene, _broker(scene, fault), fault.seconds, record)


async def postgres_paused(scene: Scene, fault: Fault, record: Record) -> None:
    """The database server stands still."""
    await _paused(scene, "postgres", fault.seconds, record)


async def disk_full(scene: Scene, fault: Fault, record: Record) -> None:
    """The server's own small file system is filled up; a server that stops because of it is started again."""
    disk = scene.disks.get(fault.target)
    if disk is None:
        raise NotPossibleError("no file systems can be mounted here (root with CAP_SYS_ADMIN, and `unshare`)")
    async with scene.holding(*(scene.stack.brokers if fault.target == "kafka" else [fault.target])):
        ballast = disk / "ballast"
        try:
            await asyncio.to_thread(_fill, ballast)
            await asyncio.sleep(fault.seconds)
        finally:
            ballast.unlink(missing_ok=True)
        lifted(record)
        part = scene.stack.parts[fault.target]
        if fault.target == "kafka":
            # A broker whose only disk failed ends itself, or goes on without it.
            part.kill()
            record.kills += 1
        await scene.start(fault.target, record)


def _fill(ballast: Path) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while shutil.disk_usage(ballast.parent).free:
                file.write(bytes(_BLOCK))
        except OSError:
            return


async def broker_lost(scene: Scene, fault: Fault, record: Record) -> None:
    """One of three brokers is killed, and away for longer than its session: its partitions get other leaders."""
    await _killed(scene, fault.target, fault.seconds, record)


async def two_brokers_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """Two of three: nothing is acknowledged until one of them is back."""
    async with scene.holding(*scene.stack.brokers):
        lost = random.Random(fault.seed).sample(scene.stack.brokers, 2)
        for broker in lost:
            scene.stack.parts[broker].kill()
            record.kills += 1
        await asyncio.sleep(fault.seconds)
        lifted(record)
        await asyncio.gather(*(scene.start(broker, record) for broker in lost))


async def primary_lost(scene: Scene, fault: Fault, record: Record) -> None:
    """The primary is killed for good and its standby promoted; the lost server comes back as the new one's standby."""
    async with scene.holding("postgres"):
        pair = _pair(scene)
        record.kills += 1
        await pair.fail_over()
        lifted(record)
        await asyncio.sleep(fault.seconds)
        began = time.monotonic()
        await pair.rejoin()
        record.ready_seconds.append(time.monotonic() - began)


async def standby_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """The primary waits for its standby: nothing is committed until it is back."""
    async with scene.holding("postgres"):
        pair = _pair(scene)
        if pair.standby is None:
            raise NotPossibleError("there was no standby at that moment")
        pair.standby.kill()
        record.kills += 1
        await asyncio.sleep(fault.seconds)
        lifted(record)
        await scene.start("postgres", record)


def _pair(scene: Scene) -> PostgresPair:
    return cast("PostgresPair", scene.stack.parts["postgres"])


def _broker(scene: Scene, fault: Fault) -> str:
    return random.Random(fault.seed).choice(scene.stack.brokers)


async def _killed(scene: Scene, part: str, seconds: float, record: Record) -> None:
    async with scene.holding(part):
        scene.stack.parts[part].kill()
        record.kills += 1
        await asyncio.sleep(seconds)
        lifted(record)
        await scene.start(part, record)


async def _restarted(scene: Scene, part: str, seconds: float, record: Record) -> None:
    async with scene.holding(part):
        await scene.stack.parts[part].stop()
        await asyncio.sleep(seconds)
        lifted(record)
        await scene.start(part, record)


async def _paused(scene: Scene, part: str, seconds: float, record: Record) -> None:
    async with scene.holding(part):
        scene.stack.parts[part].pause()
        await asyncio.sleep(seconds)
        scene.stack.parts[part].resume()
        lifted(record)
