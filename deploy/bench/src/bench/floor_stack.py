"""The floor's four processes beside a running stack: on its broker, with databases of their own on its server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import psycopg

from bench.driver import Driver
from bench.floor import PARTS, TABLES
from local_stack.postgres import Postgres
from local_stack.stack import Stack
from shared.contracts import OrderPaid, ProfileGenerated, QrDelivered
from shared.messaging.access import KafkaAccess
from shared.messaging.topics import create_topics

PREFIX = "floor."


@dataclass(frozen=True)
class Floor:
    """What runs: its driver, its processes by name, and their databases' URLs."""

    driver: Driver
    pids: Mapping[str, int]
    databases: Mapping[str, str]


@asynccontextmanager
async def floor_beside(stack: Stack, kafka: KafkaAccess) -> AsyncIterator[Floor]:
    """Start it on empty tables, and end it with the block."""
    postgres = stack.parts["postgres"]
    if not isinstance(postgres, Postgres):
        raise TypeError("a server of the stack's own is needed")
    made = await postgres.create_databases([f"floor_{name}" for name in PARTS])
    urls = {name: made.owners[f"floor_{name}"].replace("+psycopg", "") for name in PARTS}
    for url in urls.values():
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(TABLES)
    topics = [event.topic for event in (OrderPaid, ProfileGenerated, QrDelivered)]
    await asyncio.to_thread(create_topics, kafka, topics, prefix=PREFIX)
    processes = {}
    try:
        for name, url in urls.items():
            command = (sys.executable, "-m", "bench.floor")
            process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
            processes[name] = process
            if process.stdin is not None:  # not arguments: everybody may read those
                options = {"name": name, "kafka": asdict(kafka), "database": url, "prefix": PREFIX}
                process.stdin.write(json.dumps(options).encode())
                process.stdin.close()
        async with Driver(kafka, prefix=PREFIX) as driver:
            yield Floor(driver, {name: process.pid for name, process in processes.items()}, urls)
    finally:
        for process in processes.values():
            if process.returncode is None:
                process.kill()
        await asyncio.gather(*(process.wait() for process in processes.values()))
