"""A shop's server that receives webhooks over a socket, as well or as badly as a test wants."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr
from pydantic_core import from_json
from standardwebhooks import Webhook

from ordering.app import build
from ordering.settings import Settings
from shared.clock import SystemClock
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop


@dataclass
class Arrived:
    """A request that arrived."""

    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Json:
        return from_json(self.body)

    def verify(self, secret: str) -> Json:
        """The body, by the library's own verifier. Raises WebhookVerificationError."""
        return Webhook(secret).verify(self.body, self.headers)


def answer(status: int = 204, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer of HTTP/1.1."""
    lines = [f"HTTP/1.1 {status} Any", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


Behaviour = Callable[[Arrived, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class ShopServer:
    """Answers with `respond`; `port` once it runs. Counts how many requests of one order were open at once."""

    respond: Behaviour
    arrived: list[Arrived] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    most_open: Counter[str] = field(default_factory=Counter)
    _open: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def has(self, number: int) -> Callable[[], Awaitable[bool]]:
        """For `eventually`: at least so many requests have arrived."""

        async def arrived() -> bool:
            return len(self.arrived) >= number

        return arrived

    def types(self) -> list[str]:
        return [request.json["type"] for request in self.arrived]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {
                    name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Arrived(head[0].split(" ")[1], headers, body)
                self.arrived.append(request)
                order = str(request.json["data"].get("order_id"))
                self._open[order] += 1
                self.most_open[order] = max(self.most_open[order], self._open[order])
                try:
                    await self.respond(request, writer)
                    await writer.drain()
                finally:
                    self._open[order] -= 1
        writer.close()


async def accept(_request: Arrived, writer: asyncio.StreamWriter) -> None:
    """A server that works."""
    writer.write(answer(204))


def respond_with(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """A server that always answers so."""

    async def respond(_request: Arrived, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status, body, **headers))

    return respond


class StartServer(Protocol):
    """Starts a shop's server on a port of its own."""

    async def __call__(
        self, respond: Behaviour = accept, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> ShopServer: ...


@pytest.fixture
async def shop_server() -> AsyncIterator[StartServer]:
    """Servers of shops; they end with the test."""
    running: list[asyncio.Server] = []
    tasks: set[asyncio.Task[None]] = set()

    async def start(
        respond: Behaviour = accept, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> ShopServer:
        server = ShopServer(respond)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await server.serve(reader, writer)
            except asyncio.CancelledError:
                writer.close()
            finally:
                tasks.discard(task)

        listening = await asyncio.start_server(connected, host, 0, ssl=tls)
        server.port = listening.sockets[0].getsockname()[1]
        running.append(listening)
        return server

    yield start
    for listening in running:
        listening.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def responding() -> Callable[..., Behaviour]:
    return respond_with


@pytest.fixture
def answering() -> Callable[..., bytes]:
    return answer


PRIVATE = ["127.0.0.0/8"]
OPERATIONS_KEYS = {"operations": SecretStr("operations-key")}


class Watch:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


class Hearing:
    """A shop that hears, at a service whose clock can be put forward."""

    def __init__(self, shop: "Shop", watch: Watch) -> None:
        self.shop = shop
        self.watch = watch

    async def call(self, method: str, path: str, body: object = None, *, storefront: str = "esimka") -> httpx.Response:
        return await self.shop.http.request(method, path, json=body, headers=self.shop.auth(storefront))

    async def operate(self, method: str, path: str, body: object = None) -> httpx.Response:
        """A call of operations people: `/operations/<path>` with their key."""
        headers = {"Authorization": "Bearer operations-key", "X-On-Behalf-Of": "olga"}
        return await self.shop.http.request(method, f"/operations/{path}", json=body, headers=headers)

    async def connect(self, server: "ShopServer", **fields: object) -> JsonObject:
        """A new endpoint, with its secret."""
        response = await self.call("POST", "/webhook-endpoints", {"url": server.url, **fields})
        assert response.status_code == 201, response.text
        created: JsonObject = response.json()
        return created

    async def endpoint(self, created: JsonObject) -> JsonObject:
        shown: JsonObject = (await self.call("GET", f"/webhook-endpoints/{created['endpoint_id']}")).json()
        return shown

    async def log(self, created: JsonObject, query: str = "") -> list[JsonObject]:
        page = (await self.call("GET", f"/webhook-endpoints/{created['endpoint_id']}/deliveries{query}")).json()
        rows: list[JsonObject] = page["deliveries"]
        return rows

    async def backlog(self, created: JsonObject, number: int) -> None:
        """So many updates of as many orders that wait for this endpoint."""
        fill = """
        WITH new AS (
          INSERT INTO updates (update_id, storefront, order_id, type, ref, occurred_at, body)
          SELECT gen_random_uuid(), 'esimka', gen_random_uuid(), 'order.paid', '', now(),
            jsonb_build_object('type', 'order.paid', 'data', jsonb_build_object('order_id', n))
          FROM generate_series(1, :number) n RETURNING update_id, order_id)
        INSERT INTO webhook_deliveries (endpoint_id, update_id, order_id, state, due_at, give_up_at)
        SELECT :id, update_id, order_id, 'waiting', now() - interval '1 minute', now() + interval '3 days' FROM new
        """
        async with self.shop.service.database.transaction() as tx:
            await tx.execute(fill, id=UUID(created["endpoint_id"]), number=number)


@pytest.fixture
async def hearing(shop_of: "StartShop") -> Hearing:
    watch = Watch()
    settings = {"webhook_private_networks": PRIVATE, "operations_keys": OPERATIONS_KEYS}
    return Hearing(await shop_of(partial(build, clock=watch), Settings, **settings), watch)
