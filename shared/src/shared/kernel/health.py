"""Live: the process runs. Ready: broker answers, partitions assigned, consumer at work, database answers, migrated."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[str | None]]
#: So long a look answers further questions: hundreds at once cost what one costs.
_LOOK_SECONDS = 0.25


class _Look:
    """One look at all checks at a time; whoever asks meanwhile, or right after it, gets the same answer."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._task: asyncio.Task[dict[str, str]] | None = None
        self._until = 0.0

    async def found(self) -> dict[str, str]:
        """What each check says, `ok` or what is wrong."""
        if self._task is None or (self._task.done() and time.monotonic() >= self._until):
            self._task = asyncio.create_task(self._look())
        return await asyncio.shield(self._task)

    async def _look(self) -> dict[str, str]:
        found = {name: await check() or "ok" for name, check in self._checks.items()}
        self._until = time.monotonic() + _LOOK_SECONDS
        return found


def router(checks: dict[str, Check], metrics: Metrics) -> APIRouter:
    """`/health/live`, `/health/ready`, `/metrics`. A check returns what is wrong, or None."""
    routes = APIRouter(tags=["health"])
    look = _Look(checks)

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "live"}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        """Broker and database answer, the database is migrated, the service works; else 503 says what is not so."""
        found = await look.found()
        good = all(value == "ok" for value in found.values())
        metrics.ready.set(good)
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ready" if good else "not ready", "checks": found}, status)

    @routes.get("/metrics", include_in_schema=False)
    async def figures() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
