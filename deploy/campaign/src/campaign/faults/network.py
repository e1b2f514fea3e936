"""Connections are cut, in the middle of COMMIT too, or stay open and carry nothing."""

import asyncio
import random
import time
from typing import cast

import psycopg

from campaign.scene import Record, Scene, lifted
from campaign.schedule import Fault
from local_stack.postgres import Postgres
from local_stack.postgres_pair import PostgresPair

#: Those at a COMMIT, and some of the others.
_CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (state = 'active' AND query ILIKE 'commit%' OR random() < 0.05)
"""


async def cut_at_commit(scene: Scene, fault: Fault, record: Record) -> None:
    """Database connections end, most of them in the middle of COMMIT: nobody knows whether it happened."""
    ends = time.monotonic() + fault.seconds
    postgres = cast("Postgres | PostgresPair", scene.stack.parts["postgres"])
    while time.monotonic() < ends:
        try:
            async with await psycopg.AsyncConnection.connect(postgres.admin_url, autocommit=True) as connection:
                while time.monotonic() < ends:
                    await connection.execute(_CUT)
                    await asyncio.sleep(0.02)
        except psycopg.OperationalError:  # the server is away as well
            await asyncio.sleep(0.1)
    lifted(record)


async def cut(scene: Scene, fault: Fault, record: Record) -> None:
    """Connections are reset, some at a time, again and again."""
    rng = random.Random(fault.seed)
    ends = time.monotonic() + fault.seconds
    while time.monotonic() < ends:
        for part in scene.stack.proxies_of(fault.target):
            scene.stack.proxies[part].cut(0.3, rng)
        await asyncio.sleep(rng.uniform(0.05, 0.5))
    lifted(record)


async def half_open(scene: Scene, fault: Fault, record: Record) -> None:
    """What is sent over the open connections is lost without an error; new connections work."""
    for part in scene.stack.proxies_of(fault.target):
        scene.stack.proxies[part].half_open()
    lifted(record)
    await asyncio.sleep(fault.seconds)


async def broker_cut_off(scene: Scene, fault: Fault, record: Record) -> None:
    """Neither clients nor the other brokers reach one broker; the controllers do, so it stays the leader it was."""
    proxy = scene.stack.proxies[fault.target]
    proxy.isolate()
    try:
        await asyncio.sleep(fault.seconds)
    finally:
        proxy.rejoin()
    lifted(record)
