"""The floor keeps the promises that it stands for; a floor that broke them would be no measure of the product."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from uuid import UUID

import psycopg
import pytest

from bench.driver import buyers, orders
from bench.floor import PARTS, TABLES, Process
from shared.contracts import OrderPaid, ProfileGenerated, QrDelivered
from shared.testing.databases import drop_database, new_database
from shared.testing.stage import Stage

pytestmark = pytest.mark.infra
_DEAD_OWNER = 1
_READ = """
SELECT count(*) FILTER (WHERE paid IS NOT NULL AND delivered IS NOT NULL),
       (SELECT array_agg(value) FROM dead_letters) FROM orders
"""


@asynccontextmanager
async def _schemas() -> AsyncIterator[dict[str, str]]:
    """A schema with the floor's tables for each of its processes; their URLs."""
    url = await asyncio.to_thread(new_database, "provisioning")
    plain = url.replace("+psycopg", "")
    try:
        async with await psycopg.AsyncConnection.connect(plain) as connection:
            for name in PARTS:
                await connection.execute(f"CREATE SCHEMA floor_{name}; SET search_path = floor_{name}; {TABLES}")
        yield {name: f"{plain}?options=-csearch_path%3Dfloor_{name}" for name in PARTS}
    finally:
        await asyncio.to_thread(drop_database, url)


async def test_every_order_is_delivered_once_whatever_comes_twice_or_was_left_behind(stage: Stage) -> None:
    await stage.ensure_topics([event.topic for event in (OrderPaid, ProfileGenerated, QrDelivered)])
    first, last = orders(buyers(12)[0], traced=0), orders(buyers(1)[0], traced=0)[0]
    async with AsyncExitStack() as stack:
        urls = await stack.enter_async_context(_schemas())
        # A process that was killed between the commit of a task and its result.
        order = str(json.loads(last.value or b"")["order_id"])
        async with await psycopg.AsyncConnection.connect(urls["provisioning"]) as connection:
            await connection.execute("INSERT INTO orders (order_id, paid) VALUES (%s, %s)", [order, last.value])
            await connection.execute("INSERT INTO work VALUES (%s, %s)", [order, _DEAD_OWNER])
        await stage.raw(OrderPaid.topic, b"x", b"no JSON", first[0].headers)
        for record in [*first, *first, last]:
            await stage.raw(record.topic, record.key, record.value, record.headers)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        running = [group.create_task(Process(name, stage.kafka, urls[name], stage.prefix).run()) for name in PARTS]
        try:
            delivered = await stage.events(QrDelivered, count=len(first) + 1)
            async with await psycopg.AsyncConnection.connect(urls["ordering"], autocommit=True) as connection:

                async def all_read() -> bool:
                    cursor = await connection.execute(_READ)
                    return await cursor.fetchone() == (len(first) + 1, [b"no JSON"])

                await stage.eventually(all_read)
        finally:
            for process in running:
                process.cancel()
    assert {fact.event.order_id for fact in delivered} == {UUID(record.key.decode()) for record in [*first, last]}
    assert len(await stage.all_events(QrDelivered)) == len(first) + 1
