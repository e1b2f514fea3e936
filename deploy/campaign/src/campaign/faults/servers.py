"""Kafka and Postgres are killed, restarted, paused, and find their disks full."""

import asyncio
import shutil
from pathlib import Path

from campaign.scene import NotPossibleError, Record, Scene, lifted
from campaign.schedule import Fault

_BLOCK = 1 << 20


async def kafka_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9` of the broker."""
    await _killed(scene, "kafka", fault.seconds, record)


async def postgres_killed(scene: Scene, fault: Fault, record: Record) -> None:
    """`kill -9` of the database server and all its backends."""
    await _killed(scene, "postgres", fault.seconds, record)


async def kafka_restarted(scene: Scene, fault: Fault, record: Record) -> None:
    """The broker stops in good order and comes back."""
    await _restarted(scene, "kafka", fault.seconds, record)


async def postgres_restarted(scene: Scene, fault: Fault, record: Record) -> None:
    """The database server stops in good order and comes back."""
    await _restarted(scene, "postgres", fault.seconds, record)


async def kafka_paused(scene: Scene, fault: Fault, record: Record) -> None:
    """The broker stands still: its connections stay open."""
    await _paused(scene, "kafka", fault.seconds, record)


async def postgres_paused(scene: Scene, fault: Fault, record: Record) -> None:
    """The database server stands still."""
    await _paused(scene, "postgres", fault.seconds, record)


async def disk_full(scene: Scene, fault: Fault, record: Record) -> None:
    """The server's own small file system is filled up; a server that stops because of it is started again."""
    disk = scene.disks.get(fault.target)
    if disk is None:
        raise NotPossibleError("no file systems can be mounted here (root with CAP_SYS_ADMIN, and `unshare`)")
    async with scene.holding(fault.target):
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


async def _killed(scene: Scene, part: str, seconds: float, record: Record) -> None:
    async with scene.holding(part):
        scene.stack.kill(part)
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
        scene.stack.pause(part)
        await asyncio.sleep(seconds)
        scene.stack.resume(part)
        lifted(record)
