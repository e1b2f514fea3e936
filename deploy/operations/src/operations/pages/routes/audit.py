"""The audit trail as pages."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from operations.audit.store import Trail
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from shared.kernel.problems import Problem
from shared.values.text import Line

_MOST_SHOWN = 100


def router(room: Room, trail: Trail) -> APIRouter:
    """Everybody who is signed in may read it."""
    routes = APIRouter(prefix=f"{BASE}/audit", include_in_schema=False)

    @routes.get("")
    async def listing(
        request: Request, before: UUID | None = None, who: Annotated[str, Line(200, 0), Query()] = ""
    ) -> Response:
        session = await room.sessions.of(request)
        entries = await trail.page(before, f"staff:{who.strip()}" if who.strip() else None, _MOST_SHOWN)
        older = entries[-1].entry_id if len(entries) == _MOST_SHOWN else None
        return page("audit", session=session, now=room.now(), entries=entries, older=older, who=who.strip())

    @routes.get("/{entry_id}")
    async def show(request: Request, entry_id: UUID) -> Response:
        session = await room.sessions.of(request)
        entry = await trail.find(entry_id)
        if entry is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-entry", "There is no such entry in the audit trail.")
        return page("entry", session=session, now=room.now(), entry=entry)

    return routes
