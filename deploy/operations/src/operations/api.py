"""HTTP: orders, invariants, services as JSON. Every call carries an operations key."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from operations.reading import (
    InvariantDetail,
    InvariantView,
    OrderLine,
    OrderView,
    Overview,
    Reading,
    RefusedRefunds,
    Search,
    ServiceView,
)
from shared.contracts.base import OrderNumber
from shared.kernel.problems import Problem
from shared.operations.callers import caller
from shared.values.iccid import Iccid
from shared.values.opaque import Named


def router(reading: Reading) -> APIRouter:
    """`/search`, `/orders`; `/refunds/refused`; `/overview`, `/invariants`, `/services`."""
    routes = APIRouter(dependencies=[Depends(caller)])
    routes.include_router(_orders(reading))
    routes.include_router(_standing(reading))
    return routes


def _orders(reading: Reading) -> APIRouter:
    routes = APIRouter(tags=["orders"])

    @routes.post("/search")
    async def search(wanted: Search) -> list[OrderLine]:
        """Orders by number, id, ICCID or the buyer's e-mail address, which is never kept or shown."""
        return await reading.search(wanted)

    @routes.get("/orders")
    async def orders(
        number: OrderNumber | None = None, order_id: UUID | None = None, iccid: Iccid | None = None
    ) -> list[OrderLine]:
        """As `POST /search`; an e-mail address does not belong into an address."""
        given = {"number": number, "order_id": order_id, "iccid": iccid}
        if sum(value is not None for value in given.values()) != 1:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "one-criterion",
                "Name exactly one of number, order_id, iccid; for an e-mail address use POST /search.",
            )
        return await reading.search(Search(number=number, order_id=order_id, iccid=iccid))

    @routes.get("/orders/{order_id}")
    async def order(
        order_id: UUID, spans: Annotated[bool, Query(description="merge the spans of the order's trace")] = False
    ) -> OrderView:
        """Everything that is known of an order, with its timeline."""
        found = await reading.order(order_id, with_spans=spans)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No fact about such an order is known (any more).")
        return found

    @routes.get("/refunds/refused")
    async def refused_refunds() -> RefusedRefunds:
        """Refunds that the bank refused and that wait for a person: to be tried again, or paid another way."""
        return await reading.refused_refunds()

    return routes


def _standing(reading: Reading) -> APIRouter:
    routes = APIRouter(tags=["invariants"])

    @routes.get("/overview")
    async def overview() -> Overview:
        """How much is known, and which invariants do not hold."""
        return await reading.overview()

    @routes.get("/invariants")
    async def invariants() -> list[InvariantView]:
        """All invariants as they stand."""
        return await reading.invariants()

    @routes.get("/invariants/{name}")
    async def invariant(name: Named) -> InvariantDetail:
        """One invariant with the orders that it is about."""
        found = await reading.invariant(name)
        if found is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-invariant", "GET /invariants lists them.")
        return found

    @routes.get("/services")
    async def services() -> list[ServiceView]:
        """The services that are watched, as each answered last."""
        return await reading.services()

    return routes
