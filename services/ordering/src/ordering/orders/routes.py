"""HTTP: a shop lists its orders, or exports them."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from ordering.dependencies import Accounts, ListCursors, OrdersOf, ReadingShop, Traces
from ordering.orders.actions import StatusesDueError, read_all, read_page
from ordering.orders.details import OrderDetails
from ordering.orders.models import (
    DEFAULT_PAGE,
    FILTERS,
    LARGEST_PAGE,
    AlteredCursorError,
    Filters,
    ListedOrder,
    Place,
    UnservableError,
)
from ordering.orders.rules import read_filters, read_limit
from ordering.orders.store import find_extras
from ordering.orders.views import OrderList, OrderRow, csv_lines
from ordering.timeline import find
from ordering.timeline.models import Reference, Status
from shared.database import Database
from shared.kernel.dependencies import ServiceClock, ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Named

_RETRY_SECONDS = 10
_PAGING = ("cursor", "limit")
router = APIRouter(tags=["orders"])


def _documented(
    _status: Annotated[
        str | None,
        Query(alias="status", description=f"one of {', '.join(Status)}", examples=["delivered"]),
    ] = None,
    _plan: Annotated[str | None, Query(alias="plan", description="a plan's id", examples=["tr-5gb-30d"])] = None,
    _from: Annotated[
        str | None, Query(alias="from", description="placed at this moment or later", examples=["2026-11-01T00:00:00Z"])
    ] = None,
    _to: Annotated[
        str | None, Query(alias="to", description="placed before this moment", examples=["2026-12-01T00:00:00Z"])
    ] = None,
    _email: Annotated[
        str | None,
        Query(alias="email", description="the buyer's address, in any spelling", examples=["anna@example.org"]),
    ] = None,
    _q: Annotated[
        str | None,
        Query(
            alias="q",
            description="an order number, an order id, your submission id, an ICCID or an e-mail address, whole",
            examples=["10000017"],
        ),
    ] = None,
) -> None:
    """The filters, for OpenAPI only: `read_filters` reads the whole query, so that it can refuse the rest of it."""


def _filters(request: Request, *others: str) -> Filters:
    """The filters of the query. Raises Problem (422)."""
    try:
        return read_filters(request.query_params.multi_items(), others)
    except UnservableError as error:
        raise _unservable(error) from None


def _unservable(error: UnservableError) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "unservable-filter",
        f"Orders can be filtered by {', '.join(FILTERS)}; see errors.",
        errors=[{"field": _printable(name), "message": message} for name, message in error.faults.items()],
    )


def _printable(name: str) -> str:
    return name if name in (*FILTERS, *_PAGING) else "?"


@router.get("/orders", name="orders", dependencies=[Depends(_documented)])
async def list_orders(
    request: Request,
    storefront: ReadingShop,
    database: ServiceDatabase,
    cursors: ListCursors,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before", examples=["AQAGNcJ1pM8AAZ3qk1Rkc3q9…"])
    ] = None,
    limit: Annotated[
        str | None,
        Query(description=f"orders in a page, 1 to {LARGEST_PAGE}; {DEFAULT_PAGE} by default", examples=["50"]),
    ] = None,
) -> OrderList:
    """The calling shop's orders, the newest first. Orders that arrive meanwhile do not move the following pages."""
    filters = _filters(request, *_PAGING)
    try:
        size = read_limit(limit)
        after = None if cursor is None else cursors.read(storefront, filters, cursor)
    except UnservableError as error:
        raise _unservable(error) from None
    except AlteredCursorError:
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "invalid-cursor",
            "This cursor was not made by this service for these filters; begin with the first page.",
        ) from None
    orders = await _page(database, storefront, filters, after, size + 1)
    more = len(orders) > size
    return OrderList(
        orders=[OrderRow.of(order) for order in orders[:size]],
        next_cursor=cursors.make(storefront, filters, orders[size - 1].place) if more else None,
    )


async def _page(
    database: Database, storefront: str, filters: Filters, after: Place | None, limit: int
) -> list[ListedOrder]:
    try:
        return await read_page(database, storefront, filters, after, limit)
    except StatusesDueError:
        raise _statuses_due() from None


def _statuses_due() -> Problem:
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "statuses-due",
        "After an update the statuses of older orders are still being derived: ask again, or without `status`.",
        headers={"Retry-After": str(_RETRY_SECONDS)},
    )


@router.get("/orders/{reference}", name="order")
async def show_order(
    storefront: OrdersOf,
    reference: Named,
    database: ServiceDatabase,
    clock: ServiceClock,
    traces: Traces,
    accounts: Accounts,
) -> OrderDetails:
    """An order by its id or its number: one of the calling shop; with an operations or an agent's key, of any shop."""
    async with database.reading() as tx:
        order = await find(tx, storefront, Reference.parse(reference))
        if order is None:
            raise Problem(
                HTTPStatus.NOT_FOUND, "unknown-order", "There is no such order, or it is not this storefront's."
            )
        placed, facts = order
        extras = await find_extras(tx, placed.order_id)
    return OrderDetails.complete(placed, facts, extras, clock.now(), traces, accounts)


_CSV: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "RFC 4180, UTF-8, the newest order first; a text that a spreadsheet would take for a formula "
        "begins with `'`. A response that ends without its last chunk is incomplete.",
        "content": {
            "text/csv": {
                "schema": {"type": "string"},
                "example": "order_number,order_id,submission_id,placed_at,status,kind,plan_id,plan_title,price_minor,"
                "currency,iccid,test\r\n10000017,01937a3e-5c1f-7d43-9b1c-0f0f3e9a4b11,cart-8312,"
                "2026-11-21T09:30:00+00:00,delivered,esim,tr-5gb-30d,Türkiye 5 GB,990,USD,8999999999999999999,"
                "false\r\n",
            }
        },
    }
}


@router.get(
    "/orders.csv",
    name="orders csv",
    response_class=StreamingResponse,
    responses=_CSV,
    dependencies=[Depends(_documented)],
)
async def export_orders(request: Request, storefront: ReadingShop, database: ServiceDatabase) -> StreamingResponse:
    """The calling shop's orders as CSV, by the same filters, all of them in one response."""
    parts = read_all(database, storefront, _filters(request))
    try:
        # The first part is read before the response begins, so that a refusal can still be one.
        first: list[ListedOrder] = await anext(parts, [])
    except StatusesDueError:
        raise _statuses_due() from None

    async def lines() -> AsyncIterator[bytes]:
        yield csv_lines(first, head=True)
        async for orders in parts:
            yield csv_lines(orders, head=False)

    return StreamingResponse(
        lines(),
        media_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": 'attachment; filename="orders.csv"', "Cache-Control": "no-store"},
    )
