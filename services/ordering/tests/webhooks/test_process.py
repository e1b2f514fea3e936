"""Ordering as a process: killed between an answer and its record, and its command line."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

from ordering.settings import Settings
from shared.messaging.topics import owned_topics
from shared.testing.documents import Json
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody
    from services.ordering.tests.webhooks.conftest import StartServer

KEY = {"Authorization": "Bearer key-k"}


class Process:
    """The service in a process of its own, which a failpoint may kill."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{environment['HTTP_PORT']}", headers=KEY, trust_env=False, timeout=30
        )

    def start(self, failpoints: str = "") -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ordering", "serve"],
                env={**self._environment, "FAILPOINTS": failpoints},
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> bool:
        try:
            return (await self.http.get("/health/ready")).status_code == 200
        except httpx.HTTPError:
            return False

    async def killed(self) -> bool:
        return self._process is not None and self._process.poll() == -9

    async def command(self, *arguments: str) -> tuple[int, list[Json], str]:
        """Exit code, JSON lines, and errors of `python -m ordering ...`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "ordering",
            *arguments,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, errors = await process.communicate()
        assert process.returncode is not None
        return process.returncode, [json.loads(line) for line in out.splitlines()], errors.decode()

    async def stop(self) -> None:
        await self.http.aclose()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


@asynccontextmanager
async def process_of(stage: Stage, log: Path) -> AsyncIterator[Process]:
    settings = await stage.settings(Settings, "ordering")
    await stage.ensure_topics([*owned_topics("ordering", settings.shops())])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("FAILPOINTS")},
        "DATABASE_URL": settings.database_url,
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "TOPIC_PREFIX": settings.topic_prefix,
        "HTTP_PORT": str(port),
        "STOREFRONT_KEYS": '{"esimka": "key-k"}',
        "SEAL_PRIVATE_KEY": settings.seal_private_key.get_secret_value(),
        "WEBHOOK_PRIVATE_NETWORKS": '["127.0.0.0/8"]',
    }
    process = Process(environment, log)
    try:
        yield process
    finally:
        await process.stop()


@pytest.fixture
async def service(stage: Stage, tmp_path: Path) -> AsyncIterator[Process]:
    async with process_of(stage, tmp_path / "ordering.log") as process:
        yield process


def true_when(check: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def predicate() -> bool:
        return check()

    return predicate


async def test_killed_between_the_answer_and_its_record_a_webhook_arrives_again_under_its_id(
    service: Process, stage: Stage, shop_server: "StartServer", good_order: "OrderBody"
) -> None:
    server = await shop_server()
    service.start("webhooks.before_commit=1")
    await stage.eventually(service.ready)
    created = (await service.http.post("/webhook-endpoints", json={"url": server.url})).json()
    placed = await service.http.post("/orders", json=good_order(), headers={"Idempotency-Key": str(uuid4())})
    assert placed.status_code == 201
    await stage.eventually(service.killed)
    assert len(server.arrived) == 1

    service.start()
    await stage.eventually(service.ready)
    await stage.eventually(true_when(lambda: len(server.arrived) == 2))
    first, second = server.arrived
    assert (first.id, first.body) == (second.id, second.body)
    assert second.verify(created["secret"])["data"]["order_id"] == placed.json()["order_id"]
    path = f"/webhook-endpoints/{created['endpoint_id']}/deliveries?state=delivered"

    async def recorded() -> bool:
        return len((await service.http.get(path)).json()["deliveries"]) == 1

    await stage.eventually(recorded)
    assert len(server.arrived) == 2

    # The command line: what is there, and the same webhook once more.
    code, endpoints, _ = await service.command("webhooks", "endpoints", "--shop", "esimka")
    assert (code, [endpoint["endpoint_id"] for endpoint in endpoints]) == (0, [created["endpoint_id"]])
    assert "secret" not in endpoints[0]
    code, deliveries, _ = await service.command("webhooks", "deliveries", created["endpoint_id"])
    assert (code, [delivery["update_id"] for delivery in deliveries]) == (0, [first.id])
    code, answer, _ = await service.command("webhooks", "redeliver", "esimka", "--update", first.id)
    assert (code, answer) == (0, [{"deliveries": 1}])
    await stage.eventually(true_when(lambda: len(server.arrived) == 3))
    assert server.arrived[2].id == first.id
    code, answer, errors = await service.command("webhooks", "redeliver", "esimka", "--since", "yesterday")
    assert (code, answer) == (2, [])
    assert "--since" in errors


@pytest.mark.parametrize("environment", ["production"])
def test_production_refuses_private_networks(environment: str) -> None:
    with pytest.raises(ValueError, match="WEBHOOK_PRIVATE_NETWORKS"):
        Settings(
            database_url="postgresql+psycopg://u:p@h/d",
            kafka_bootstrap_servers="h:9092",
            environment=environment,
            seal_private_key="MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
            webhook_private_networks=["10.0.0.0/8"],
        )
