"""A sandbox for each test, and a shop that receives its webhooks."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from sandbox.testing import JsonObject, RunningSandbox, running_sandbox


@dataclass
class Shop:
    url: str = ""
    answers: deque[int] = field(default_factory=deque)
    bodies: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def body(self) -> bytes:
        return await asyncio.wait_for(self.bodies.get(), 30)

    async def webhook(self) -> JsonObject:
        value: JsonObject = json.loads(await self.body())
        return value

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                first, *lines = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.paths.append(first.split(" ")[1])
                self.headers.append(headers)
                self.bodies.put_nowait(body)
                status = self.answers.popleft() if self.answers else 200
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the sandbox has hung up
        finally:
            writer.close()


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield shop
    server.close()


@pytest_asyncio.fixture
async def sb() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def invoices() -> Iterator[str]:
    return (str(number) for number in itertools.count(200001))
