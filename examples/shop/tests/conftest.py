"""The shop on a real socket, with a scripted service behind it: what the client is answered is in the test's hands."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from esim_fulfilment import Addresses
from esim_fulfilment.testing import Reply, ScriptedService
from example_shop.app import create_app
from example_shop.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ORDER_ID = "0198b3c4-0000-7000-8000-000000000001"
PLAN = {
    "id": "tr-5gb-30d",
    "title": "Turkey 5 GB, 30 days",
    "coverage": ["TR"],
    "data_mb": 5120,
    "validity_days": 30,
    "profile_type": "tr-data",
}
PRICE = {"amount": 1050, "currency": "USD"}
STOREFRONT = {
    "slug": "e-sim-onl",
    "name": "e-SIM.onl",
    "currency": "USD",
    "time_zone": "UTC",
    "language": "en",
    "support": {"email": "support@e-sim-onl.example"},
    "documents": {"offer": "TC-1", "privacy": "PP-1", "refund": "RC-1"},
    "plans": [{"plan": PLAN, "price": PRICE}],
}
PLACED: dict[str, object] = {
    "order_id": ORDER_ID,
    "order_number": "10000001",
    "status": "placed",
    "price": PRICE,
    "plan": PLAN,
}


@dataclass
class Running:
    """A shop that runs, and what is behind it."""

    url: str
    service: ScriptedService
    database: Path
    secret: str = SECRET

    def stands(self, status: str, **more: object) -> None:
        """From now on the order stands like this."""
        facts = {"order_placed": "2026-11-29T12:00:00Z"}
        order = {**PLACED, "kind": "esim", "status": status, "facts": facts, **more}
        self.service.paths[f"GET /orders/{ORDER_ID}"] = Reply(200, order)


#: `async with serve() as shop`: a shop that registers its own endpoint.
Serve = Callable[[], AbstractAsyncContextManager[Running]]


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        running.paths["GET /storefront"] = Reply(200, STOREFRONT)
        running.paths["POST /orders"] = Reply(201, PLACED)
        running.replies = [Reply(404, {"type": "urn:problem:not-found"})]
        yield running


@pytest.fixture
async def shop(service: ScriptedService, tmp_path: Path) -> AsyncIterator[Running]:
    async with serving(service, tmp_path / "shop.sqlite") as running:
        running.stands("placed")
        yield running


@pytest.fixture
def port() -> int:
    """A port that a shop has again after a restart."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@pytest.fixture
def serve(service: ScriptedService, tmp_path: Path, port: int) -> Serve:
    """`async with serve() as shop`: a shop that registers its own endpoint; its database stays from one to the next."""
    return lambda: serving(service, tmp_path / "shop.sqlite", (), port)


@pytest.fixture
async def buyer(shop: Running) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without scripts."""
    async with httpx.AsyncClient(base_url=shop.url, follow_redirects=True, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def fill() -> Callable[..., dict[str, str]]:
    """A filled checkout."""

    def filled(basket: str = "basket-1", **changes: str) -> dict[str, str]:
        form = {
            "basket": basket,
            "name": "Anna Berg",
            "email": "anna@example.org",
            "phone": "+4915112345678",
            "device": "yes",
            "documents": "yes",
        }
        return {name: value for name, value in {**form, **changes}.items() if value}

    return filled


@asynccontextmanager
async def serving(
    service: ScriptedService, database: Path, secrets: tuple[str, ...] = (SECRET,), port: int = 0
) -> AsyncIterator[Running]:
    """The shop on a free port, until the block ends. Without secrets it registers a webhook endpoint of its own."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    port = listening.getsockname()[1]
    settings = Settings(
        key="a-key",
        addresses=Addresses.behind(service.url),
        public_url=f"http://127.0.0.1:{port}",
        bank_script="https://bank.example/payform/payment-api.js",
        database=database,
        host="127.0.0.1",
        port=port,
        webhook_secrets=secrets,
        mailbox_url="",
        traces_url="",
    )
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), log_level="error", lifespan="on", timeout_graceful_shutdown=1)
    )
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        async with asyncio.timeout(60):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
                await asyncio.sleep(0.01)
        yield Running(settings.public_url, service, database)
    finally:
        server.should_exit = True
        await task
