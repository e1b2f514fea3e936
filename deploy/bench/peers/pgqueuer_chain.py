"""The chain on PgQueuer: jobs in Postgres, its asyncpg driver, a process for each of the two steps."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import uvloop
from common import TABLE, Options, child_options, measure
from pgqueuer import AsyncpgDriver, AsyncpgPoolDriver, Job, PgQueuer, Queries

_BATCH = 200
_CONNECTIONS = 8
_GENERATED = "INSERT INTO orders (order_id, generated_at) VALUES ($1, now()) ON CONFLICT DO NOTHING"
_DELIVERED = "UPDATE orders SET delivered_at = now() WHERE order_id = $1 AND delivered_at IS NULL"


async def work(step: str, database: str) -> None:
    """One process: performs one step of each order."""
    async with asyncpg.create_pool(database, min_size=_CONNECTIONS, max_size=_CONNECTIONS) as pool:
        queuer = PgQueuer(AsyncpgPoolDriver(pool))
        queries = Queries(AsyncpgPoolDriver(pool))

        async def provision(job: Job) -> None:
            await pool.execute(_GENERATED, (job.payload or b"").decode())
            await queries.enqueue("notify", job.payload)

        async def notify(job: Job) -> None:
            await pool.execute(_DELIVERED, (job.payload or b"").decode())

        queuer.entrypoint(step)(provision if step == "provision" else notify)
        await queuer.run(dequeue_timeout=timedelta(seconds=1), batch_size=_BATCH)


async def install(database: str) -> None:
    """Its own tables, and the chain's."""
    connection = await asyncpg.connect(database)
    await Queries(AsyncpgDriver(connection)).install()
    await connection.execute(TABLE)
    await connection.close()


def main() -> None:
    """Measure."""
    options = Options.read()
    asyncio.run(install(options.database))
    environment = {**os.environ, "OPTIONS": child_options(options)}
    workers = [subprocess.Popen([sys.executable, __file__, step], env=environment) for step in ("provision", "notify")]
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(options.database))
    queries = Queries(AsyncpgDriver(connection))

    def pay(orders: Sequence[str]) -> None:
        payloads: list[bytes | None] = [order.encode() for order in orders]
        loop.run_until_complete(queries.enqueue(["provision"] * len(orders), payloads, [0] * len(orders)))

    try:
        measure(options, pay)
    finally:
        for worker in workers:
            worker.kill()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(work(sys.argv[1], json.loads(os.environ["OPTIONS"])["database"]))
    else:
        main()
