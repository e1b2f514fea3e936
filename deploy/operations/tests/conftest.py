"""Operations on a stage, and the facts of an order's life."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from operations.service import build
from operations.settings import Settings
from shared.kernel.service import Service
from shared.testing.stage import Stage


@dataclass
class Operations:
    """A running service and what a test asks it."""

    service: Service
    stage: Stage

    async def get(self, path: str, key: str | None = "a-key") -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.service.port}", trust_env=False) as client:
            return await client.get(path, headers=headers)

    async def post(self, path: str, body: Any, key: str | None = "a-key") -> httpx.Response:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.service.port}", trust_env=False) as client:
            return await client.post(path, headers=headers, json=body)

    async def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        async with self.service.database.reading() as tx:
            return [dict(row) for row in (await tx.execute(sql, **parameters)).mappings()]


Start = Callable[..., Awaitable[Operations]]


@pytest.fixture
async def start(stage: Stage) -> Start:
    async def start(**overrides: Any) -> Operations:
        settings: dict[str, Any] = {
            "operations_keys": {"script": "a-key"},
            "search_key": "a-search-key-for-tests",
            "consumer_pause_seconds": 0.0,
            **overrides,
        }
        return Operations(await stage.service(build, Settings, **settings), stage)

    return start
