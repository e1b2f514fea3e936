"""The pages of the audit log. Everybody who is signed in may read it."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response

from operations.audit import KIND
from operations.pages.dependencies import Audit, Viewing
from operations.pages.rendering import BASE
from shared.kernel.problems import Problem
from shared.values.text import Line

_MOST_SHOWN = 100
routes = APIRouter(prefix=f"{BASE}/audit")


@routes.get("")
async def audit_log(
    viewer: Viewing, log: Audit, before: UUID | None = None, who: Annotated[str, Line(200, 0), Query()] = ""
) -> Response:
    name = who.strip()
    entries = await log.page(before, f"{KIND}:{name}" if name else None, _MOST_SHOWN)
    older = entries[-1].entry_id if len(entries) == _MOST_SHOWN else None
    return viewer.page("audit", entries=entries, older=older, who=name)


@routes.get("/{entry_id}")
async def audit_entry(entry_id: UUID, viewer: Viewing, log: Audit) -> Response:
    entry = await log.find(entry_id)
    if entry is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-entry", "There is no such entry in the audit log.")
    return viewer.page("entry", entry=entry)
