"""The floor of intake: the smallest FastAPI endpoint with one idempotent insert and one outbox row per order.

`python -m bench.intake_floor` reads its port and its database's URL from the standard input.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import psycopg
import uvicorn
from fastapi import FastAPI, Header

from shared.contracts import OrderRequest
from shared.ids import uuid7

TABLES = """
CREATE TABLE orders (key text PRIMARY KEY, order_id uuid NOT NULL, body jsonb NOT NULL);
CREATE TABLE outbox (id uuid PRIMARY KEY, topic text NOT NULL, key text NOT NULL, value bytea NOT NULL);
"""
_CONNECTIONS = 5
_INSERT = "INSERT INTO orders VALUES (%s, %s, %s) ON CONFLICT DO NOTHING RETURNING order_id"
_PUBLISH = "INSERT INTO outbox VALUES (%s, 'ordering.order-placed', %s, %b)"
_FIND = "SELECT order_id FROM orders WHERE key = %s"


def build(database: str) -> FastAPI:
    """The app with a small pool of connections."""
    pool: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        for _ in range(_CONNECTIONS):
            pool.put_nowait(await psycopg.AsyncConnection.connect(database, autocommit=True))
        yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/orders", status_code=201)
    async def place_order(order: OrderRequest, idempotency_key: Annotated[str, Header()]) -> dict[str, str]:
        body, number = order.model_dump_json(), uuid7()
        connection = await pool.get()
        try:
            async with connection.transaction():
                cursor = await connection.execute(_INSERT, (idempotency_key, number, body))
                if await cursor.fetchone() is not None:
                    await connection.execute(_PUBLISH, (uuid7(), str(number), body.encode()))
                    return {"order_id": str(number)}
                row = await (await connection.execute(_FIND, (idempotency_key,))).fetchone()
                return {"order_id": str(row[0]) if row else ""}
        finally:
            pool.put_nowait(connection)

    return app


if __name__ == "__main__":
    options = json.load(sys.stdin)
    uvicorn.run(build(options["database"]), host="127.0.0.1", port=options["port"], log_level="warning")
