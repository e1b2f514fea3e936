"""The pages of invariants: the list, and one invariant with the orders that break it."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import Response

from operations.invariants import all_invariants, find_invariant
from operations.pages.dependencies import Viewing
from operations.pages.rendering import BASE
from operations.pages.store import broken_since
from shared.kernel.problems import Problem
from shared.values.opaque import Named

routes = APIRouter(prefix=f"{BASE}/invariants")


@routes.get("")
async def invariants(viewer: Viewing) -> Response:
    async with viewer.database.reading() as tx:
        views, since = await all_invariants(tx), await broken_since(tx)
    return viewer.page("invariants", invariants=sorted(views, key=lambda view: not view.violations), since=since)


@routes.get("/{name}")
async def invariant(name: Named, viewer: Viewing) -> Response:
    async with viewer.database.reading() as tx:
        detail = await find_invariant(tx, name)
    if detail is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-invariant", "There is no invariant of this name.")
    return viewer.page("invariant", invariant=detail)
