"""Live: the process runs. Ready: broker answers, partitions assigned, consumer at work, database answers, migrated."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.telemetry.metrics import Metrics

Check = Callable[[], Awaitable[str | None]]


def router(checks: dict[str, Check], metrics: Metrics) -> APIRouter:
    """`/health/live`, `/health/ready`, `/metrics`. A check returns what is wrong, or None."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health/live")
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "live"}

    @routes.get("/health/ready")
    async def ready() -> JSONResponse:
        """Broker and database answer, the database is migrated, the service works; else 503 says what is not so."""
        found: dict[str, Any] = {name: await check() or "ok" for name, check in checks.items()}
        good = all(value == "ok" for value in found.values())
        metrics.ready.set(good)
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ready" if good else "not ready", "checks": found}, status)

    @routes.get("/metrics", include_in_schema=False)
    async def figures() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
