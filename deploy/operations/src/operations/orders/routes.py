"""HTTP: orders as JSON. Every request carries an operations key."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from operations.dependencies import Hashes, Spans, Traces
from operations.orders import store
from operations.orders.models import OrderLine, OrderView, Search
from operations.orders.timeline import with_spans
from shared.contracts.base import OrderNumber
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.operations.callers import caller
from shared.values.iccid import Iccid

routes = APIRouter(tags=["orders"], dependencies=[Depends(caller)])


@routes.post("/search")
async def search(wanted: Search, database: ServiceDatabase, hashes: Hashes) -> list[OrderLine]:
    """Orders by number, id, ICCID or the buyer's e-mail address, which is never stored or shown."""
    async with database.reading() as tx:
        return await store.search_orders(tx, wanted, hashes)


@routes.get("/orders")
async def orders(
    database: ServiceDatabase,
    hashes: Hashes,
    number: OrderNumber | None = None,
    order_id: UUID | None = None,
    iccid: Iccid | None = None,
) -> list[OrderLine]:
    """As `POST /search`. An e-mail address must not stand in a URL, so it cannot be searched here."""
    given = {"number": number, "order_id": order_id, "iccid": iccid}
    if sum(value is not None for value in given.values()) != 1:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "one-criterion",
            "Name exactly one of number, order_id, iccid; for an e-mail address use POST /search.",
        )
    async with database.reading() as tx:
        return await store.search_orders(tx, Search(number=number, order_id=order_id, iccid=iccid), hashes)


@routes.get("/orders/{order_id}")
async def order(
    order_id: UUID,
    database: ServiceDatabase,
    traces: Traces,
    trace_store: Spans,
    spans: Annotated[bool, Query(description="merge the spans of the order's trace")] = False,
) -> OrderView:
    """Everything that is stored of an order, with its timeline."""
    async with database.reading() as tx:
        view = await store.find_order(tx, order_id, traces)
    if view is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No fact about such an order is known (any more).")
    return await with_spans(view, trace_store) if spans else view
