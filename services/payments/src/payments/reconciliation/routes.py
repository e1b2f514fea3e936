"""HTTP for agents: the comparison of a day with the bank."""

from http import HTTPStatus

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from payments.http_context import agents_only
from payments.reconciliation import store
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.moment import Day

routes = APIRouter(tags=["agents"], dependencies=[agents_only])


@routes.get("/reconciliations/{day}")
async def read_reconciliation(day: Day, database: ServiceDatabase) -> JSONResponse:
    """How far the comparison of that day (UTC) is, and each difference it found."""
    async with database.reading() as tx:
        comparison = await store.of_day(tx, day)
    if comparison is None:
        detail = "That day has not been compared with the bank. POST here starts it."
        raise Problem(HTTPStatus.NOT_FOUND, "not-reconciled", detail)
    return JSONResponse(comparison)


@routes.post("/reconciliations/{day}", status_code=HTTPStatus.ACCEPTED)
async def start_reconciliation(day: Day, database: ServiceDatabase) -> JSONResponse:
    """Compare that day (again); GET shows when the comparison is finished."""
    async with database.transaction() as tx:
        if day > tx.now.date():
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "day-to-come", "That day is in the future.")
        if not await store.start(tx, day, again=True):
            raise Problem(HTTPStatus.CONFLICT, "reconciliation-running", "That day is being compared just now.")
    return JSONResponse({"day": day.isoformat(), "state": "running"}, HTTPStatus.ACCEPTED)
