"""Live: the process runs. Ready: the broker answers, partitions are assigned, the database answers and is migrated."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[str | None]]
#: Results are reused for this long: hundreds of requests at once cost as much as one.
_REUSE_SECONDS = 0.25


class _Checks:
    """Runs all checks, one run at a time; requests meanwhile, or right after it, get the same results."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self._task: asyncio.Task[dict[str, str]] | None = None
        self._until = 0.0

    async def results(self) -> dict[str, str]:
        """The result of each check: `ok`, or what is wrong."""
        if self._task is None or (self._task.done() and time.monotonic() >= self._until):
            self._task = asyncio.create_task(self._run())
        return await asyncio.shield(self._task)

    async def _run(self) -> dict[str, str]:
        results = {name: await check() or "ok" for name, check in self._checks.items()}
        self._until = time.monotonic() + _REUSE_SECONDS
        return results


def router(checks: dict[str, Check], metrics: Metrics) -> APIRouter:
    """`/health/live`, `/health/ready`, `/metrics`. A check returns what is wrong, or None."""
    routes = APIRouter(tags=["health"])
    all_checks = _Checks(checks)

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "live"}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        """Broker and database answer, the database is migrated, the service works; else 503 says why not."""
        results = await all_checks.results()
        is_ready = all(result == "ok" for result in results.values())
        metrics.ready.set(is_ready)
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ready" if is_ready else "not ready", "checks": results}, status)

    @routes.get("/metrics", include_in_schema=False)
    async def expose() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
