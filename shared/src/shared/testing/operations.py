"""The toy service with an HTTP client of its `/operations`, for tests."""

from collections.abc import Awaitable, Mapping
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

import httpx

from shared.contracts.base import Event
from shared.kernel.service import Service
from shared.messaging.consumer import Handler, TombstoneHandler
from shared.testing.documents import JsonObject, Row
from shared.testing.stage import Stage
from shared.testing.toy.service import Call

WHY = "the fault is repaired"


class RunningToy:
    """A running toy service, and a client with an operations key."""

    def __init__(self, stage: Stage, service: Service, client: httpx.AsyncClient) -> None:
        self.stage = stage
        self.service = service
        self.client = client

    async def get(self, path: str, **parameters: str | int) -> JsonObject:
        """The JSON object of a GET, which must succeed."""
        return _json(await self.client.get(path, params=parameters))

    async def post(self, path: str, **body: object) -> JsonObject:
        """The JSON object of a POST, which must succeed; the body gets a reason."""
        return _json(await self.client.post(path, json={"reason": WHY, **body}))

    async def redrive(self, **body: object) -> JsonObject:
        """Redrive dead letters."""
        return await self.post("/dead-letters/redrive", **body)

    async def query(self, sql: str, **parameters: object) -> list[Row]:
        """Rows of the toy's database."""
        async with self.service.database.transaction() as tx:
            return [tuple(row) for row in await tx.execute(sql, **parameters)]

    async def dead_letters(self, count: int) -> list[str]:
        """The ids of the dead letters, the oldest first, as soon as there are so many."""

        async def stored() -> list[str]:
            ids = [str(row[0]) for row in await self.query("SELECT id FROM dead_letters ORDER BY id")]
            return ids if len(ids) >= count else []

        return await self.stage.eventually(stored)

    async def dead_letter(self, letter_id: str | UUID) -> JsonObject:
        """One dead letter, as `/operations` shows it."""
        return await self.get(f"/dead-letters/{letter_id}")


class StartToy(Protocol):
    """Starts a toy: `handlers` and `forgets` replace its own, `call` is what its task calls outside."""

    def __call__(
        self,
        *,
        handlers: Mapping[type[Event], Handler] | None = None,
        forgets: Mapping[type[Event], TombstoneHandler] | None = None,
        call: Call | None = None,
    ) -> Awaitable[RunningToy]: ...


def _json(response: httpx.Response) -> JsonObject:
    if response.status_code != HTTPStatus.OK:
        raise AssertionError(f"{response.status_code}: {response.text}")
    body: JsonObject = response.json()
    return body
