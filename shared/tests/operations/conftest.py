"""The toy with an operations desk, and somebody at it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from shared.contracts.base import Event
from shared.kernel.service import Service
from shared.messaging.consumer import Handler, TombstoneHandler
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

KEY = "an operations key"
WHY = "the fault is repaired"


class Room:
    """A service and a client of its desk."""

    def __init__(self, stage: Stage, service: Service, client: httpx.AsyncClient) -> None:
        self.stage = stage
        self.service = service
        self.client = client

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        response = await self.client.get(path, params=parameters)
        assert response.status_code == HTTPStatus.OK, response.text
        found: dict[str, Any] = response.json()
        return found

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        response = await self.client.post(path, json={"reason": WHY, **body})
        assert response.status_code == HTTPStatus.OK, response.text
        found: dict[str, Any] = response.json()
        return found

    async def redrive(self, **body: Any) -> dict[str, Any]:
        return await self.post("/dead-letters/redrive", **body)

    async def query(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        async with self.service.database.transaction() as tx:
            return [tuple(row) for row in await tx.execute(sql, **parameters)]

    async def letters(self, count: int) -> list[str]:
        """The ids of the letters, the oldest first, once there are so many."""

        async def there() -> list[str]:
            found = [str(row[0]) for row in await self.query("SELECT id FROM dead_letters ORDER BY id")]
            return found if len(found) >= count else []

        found: list[str] = await self.stage.eventually(there)
        return found

    async def letter(self, letter_id: str | UUID) -> dict[str, Any]:
        return await self.get(f"/dead-letters/{letter_id}")


Enter = Callable[..., Awaitable[Room]]


@pytest.fixture
async def enter(stage: Stage) -> AsyncIterator[Enter]:
    """Start a toy: `handlers` and `forgets` replace its own, `call` is its outside world."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            handlers: Mapping[type[Event], Handler] | None = None,
            forgets: Mapping[type[Event], TombstoneHandler] | None = None,
            **options: Any,
        ) -> Room:
            def build(settings: Settings) -> Service:
                service = toy.build(settings, **options)
                service.consumes(handlers or {})
                for event_class, handler in (forgets or {}).items():
                    service.forgets(event_class, handler)
                return service

            service = await stage.service(build, Settings, operations_keys={"operations": SecretStr(KEY)})
            client = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{service.port}/operations",
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=30,
                trust_env=False,
            )
            return Room(stage, service, await stack.enter_async_context(client))

        yield start
