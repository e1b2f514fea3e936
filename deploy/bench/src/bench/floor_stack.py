"""The floor's four processes beside a running stack: on its broker, with databases of their own on its server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass

import psycopg

from bench.driver import Driver
from bench.floor import PARTS, TABLES
from bench.programs import running
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
    urls = await new_databases(stack, [*PARTS], TABLES)
    topics = [event.topic for event in (OrderPaid, ProfileGenerated, QrDelivered)]
    await asyncio.to_thread(create_topics, kafka, topics, prefix=PREFIX)
    async with AsyncExitStack() as processes:
        pids = {}
        for name, url in urls.items():
            options = {"name": name, "kafka": asdict(kafka), "database": url, "prefix": PREFIX}
            pids[name] = await processes.enter_async_context(running("bench.floor", options))
        driver = await processes.enter_async_context(Driver(kafka, prefix=PREFIX))
        yield Floor(driver, pids, urls)


async def new_databases(stack: Stack, names: Sequence[str], tables: str) -> dict[str, str]:
    """A database with these tables for each name, on the stack's server; their libpq URLs."""
    made = await _server(stack).create_databases([f"floor_{name}" for name in names])
    urls = {name: made.owners[f"floor_{name}"].replace("+psycopg", "") for name in names}
    for url in urls.values():
        async with await psycopg.AsyncConnection.connect(url) as connection:
            await connection.execute(tables)
    return urls


def admin_url(stack: Stack, database: str) -> str:
    """The superuser's libpq URL for a database of the stack."""
    return f"{_server(stack).admin_url.rpartition('/')[0]}/{database}"


def _server(stack: Stack) -> Postgres:
    postgres = stack.parts["postgres"]
    if not isinstance(postgres, Postgres):
        raise TypeError("a server of the stack's own is needed")
    return postgres
