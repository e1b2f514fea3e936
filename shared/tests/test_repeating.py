"""A deadlock is the service's own business: the request is handled again, whole, and answered once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from uuid import UUID

import httpx
import psycopg
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import StreamingResponse

from shared.ids import uuid7
from shared.kernel.http import new_app
from shared.kernel.repeating import ATTEMPTS
from shared.telemetry.tracing import Tracing
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


def _client(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://test")


def _app(fault: Callable[[int], Exception | None]) -> tuple[FastAPI, list[bytes]]:
    """`fault`: what the attempt of this number raises. And the bodies that were seen."""
    app, seen = new_app("test", Tracing("test")), []

    @app.post("/{name}")
    async def act(name: str, request: Request) -> dict[str, str]:
        seen.append(await request.body())
        if (error := fault(len(seen))) is not None:
            raise error
        return {"name": name}

    return app, seen


async def test_the_request_is_handled_again_with_its_body() -> None:
    app, seen = _app(lambda attempt: psycopg.errors.DeadlockDetected() if attempt < ATTEMPTS else None)

    async def body() -> AsyncIterator[bytes]:
        yield b"one, "
        yield b"two"

    async with _client(app) as client:
        answer = await client.post("/x", content=body())
    assert (answer.status_code, answer.json()) == (200, {"name": "x"})
    assert seen == [b"one, two"] * ATTEMPTS


async def test_a_deadlock_without_end_is_answered() -> None:
    app, seen = _app(lambda _: psycopg.errors.DeadlockDetected())
    async with _client(app) as client:
        answer = await client.post("/x")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:problem:try-again")
    assert len(seen) == ATTEMPTS


@pytest.mark.parametrize("error", [psycopg.errors.UniqueViolation(), psycopg.errors.AdminShutdown(), KeyError()])
async def test_any_other_fault_is_not_repeated(error: Exception) -> None:
    app, seen = _app(lambda _: error)
    async with _client(app) as client:
        assert (await client.post("/x")).status_code >= 500
    assert len(seen) == 1


async def test_nothing_is_repeated_once_an_answer_has_begun() -> None:
    app, attempts = new_app("test", Tracing("test")), 0

    @app.get("/")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            nonlocal attempts
            attempts += 1
            yield b"a part"
            raise psycopg.errors.DeadlockDetected

        return StreamingResponse(parts())

    async with _client(app) as client:
        await client.get("/")
    assert attempts == 1


async def test_two_requests_that_lock_in_a_circle_both_succeed(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    one, two = sorted(uuid7() for _ in range(2))
    both, attempts = asyncio.Barrier(2), 0
    routes = APIRouter()

    @routes.post("/lock/{first}/{second}")
    async def lock(first: UUID, second: UUID) -> None:
        nonlocal attempts
        attempts += 1
        begins = attempts <= both.parties
        async with service.database.transaction() as tx:
            for order in (first, second):
                await tx.execute("UPDATE seen SET handled = handled + 1 WHERE order_id = :order", order=order)
                if begins and order == first:
                    await both.wait()

    service.app.include_router(routes)
    async with service.database.transaction() as tx:
        await tx.insert(toy.seen, [{"order_id": order, "handled": 0} for order in (one, two)])
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=30, trust_env=False) as client:
        answers = await asyncio.gather(*(client.post(path) for path in (f"/lock/{one}/{two}", f"/lock/{two}/{one}")))
    assert [answer.status_code for answer in answers] == [200, 200]
    # On a busy machine it may meet the other's locks once more before the other has ended.
    assert attempts in {3, 4, 5}, "one of the two was undone, and handled again"
    async with service.database.reading() as tx:
        assert (await tx.execute("SELECT handled FROM seen")).scalars() == [2, 2], "each was applied once"
