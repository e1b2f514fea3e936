"""HTTP for agents: the ledger of an order."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from payments.http_context import agents_only
from payments.ledger import store
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

routes = APIRouter(tags=["agents"], dependencies=[agents_only])


@routes.get("/orders/{order_id}/ledger")
async def order_ledger(order_id: UUID, database: ServiceDatabase) -> JSONResponse:
    """Every posting of the order and the balance of each account; minor units, debits positive."""
    async with database.reading() as tx:
        ledger = await store.of_order(tx, order_id)
    if ledger is None:
        raise Problem(HTTPStatus.NOT_FOUND, "order-not-known", "No order has this id here.")
    return JSONResponse(ledger)
