"""Readiness is looked at once, however many ask."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from shared.kernel import health
from shared.kernel.http import HttpServer
from shared.telemetry.metrics import Metrics


class Checked:
    """A part of a service, and how often somebody looked at it."""

    def __init__(self) -> None:
        self.looks = 0
        self.problem: str | None = None

    async def __call__(self) -> str | None:
        self.looks += 1
        await asyncio.sleep(0.01)
        return self.problem


@pytest.fixture
def part() -> Checked:
    return Checked()


@pytest.fixture
async def http(part: Checked) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(health.router({"part": part}, Metrics()))
    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=30, trust_env=False) as client:
        yield client
    await server.stop()


async def test_three_hundred_questions_cost_few_looks(http: httpx.AsyncClient, part: Checked) -> None:
    answers = await asyncio.gather(*(http.get("/health/ready") for _ in range(300)))
    assert {answer.status_code for answer in answers} == {200}
    assert part.looks < 100


async def test_what_changes_is_seen_soon(http: httpx.AsyncClient, part: Checked) -> None:
    assert (await http.get("/health/ready")).status_code == 200
    part.problem = "away"

    async def seen(status: int) -> httpx.Response:
        for _ in range(250):
            answer = await http.get("/health/ready")
            if answer.status_code == status:
                return answer
            await asyncio.sleep(0.02)
        raise AssertionError(f"never {status}")

    assert (await seen(503)).json()["checks"] == {"part": "away"}
    part.problem = None
    await seen(200)


async def test_a_check_that_raises_does_not_stay(http: httpx.AsyncClient, part: Checked) -> None:
    async def raises() -> str | None:
        raise RuntimeError

    app = FastAPI()
    checks: dict[str, health.Check] = {"part": raises}
    app.include_router(health.router(checks, Metrics()))
    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    try:
        url = f"http://127.0.0.1:{server.port}/health/ready"
        assert (await http.get(url)).status_code == 500
        checks["part"] = part
        await asyncio.sleep(0)
        assert (await http.get(url)).status_code == 200
    finally:
        await server.stop()
