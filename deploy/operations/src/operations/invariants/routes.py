"""HTTP: the invariants as JSON. Every request carries an operations key."""

from http import HTTPStatus

from fastapi import APIRouter, Depends

from operations.invariants import store
from operations.invariants.models import InvariantDetail, InvariantView, Overview
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.operations.callers import caller
from shared.values.opaque import Named

routes = APIRouter(tags=["invariants"], dependencies=[Depends(caller)])


@routes.get("/overview")
async def overview(database: ServiceDatabase) -> Overview:
    """How much is stored, and which invariants are broken."""
    async with database.reading() as tx:
        return await store.overview(tx)


@routes.get("/invariants")
async def invariants(database: ServiceDatabase) -> list[InvariantView]:
    """All invariants with their last evaluation."""
    async with database.reading() as tx:
        return await store.all_invariants(tx)


@routes.get("/invariants/{name}")
async def invariant(name: Named, database: ServiceDatabase) -> InvariantDetail:
    """One invariant with the orders that break it."""
    async with database.reading() as tx:
        detail = await store.find_invariant(tx, name)
    if detail is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-invariant", "GET /invariants lists them.")
    return detail
