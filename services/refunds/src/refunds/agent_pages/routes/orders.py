"""The search for orders by what a buyer can name, and everything that is known of one order and its buyer."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Searching, Services, SignedIn
from refunds.agent_pages.models import FoundOrder
from refunds.agent_pages.order_page import OrderPagesDep
from refunds.agent_pages.rendering import page
from refunds.agent_pages.story import search
from refunds.cases import CaseServiceDep, write_entry
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.signin.rendering import redirect
from shared.values.text import Line

routes = APIRouter()


@routes.post("/agents/search")
async def find(
    session: Searching,
    services: Services,
    database: ServiceDatabase,
    case_service: CaseServiceDep,
    trace: RequestTrace,
    text: Annotated[str, Line(254, 0), Form()] = "",
) -> Response:
    """Posted, because names and addresses belong into no URL and no log. Every search is in the audit trail."""
    wanted = text.strip()
    if not wanted:
        return redirect("/agents/queue")
    part = await search(services, wanted, trace)
    async with database.transaction() as tx:
        if part.value is None:
            email = case_service.fingerprints.email(wanted)
            rows = await store.find_paid(tx, wanted, _id(wanted), email)
            lines = [_paid(row) for row in rows]
        else:
            lines = [_found(order) for order in part.value.orders]
        counts = await store.count_cases(tx, [found["order_id"] for found in lines])
        await write_entry(tx, session.who, "searched", orders=len(lines))
        now = tx.now
    if len(lines) == 1:
        return redirect(f"/agents/orders/{lines[0]['order_id']}")
    more = part.value is not None and part.value.more
    return page("found", session=session, now=now, rows=lines, counts=counts, part=part, more=more)


@routes.get("/agents/orders")
async def by_number(
    _session: SignedIn, database: ServiceDatabase, number: Annotated[str, Line(40, 0), Query()] = ""
) -> Response:
    """The page of an order whose number a link names."""
    async with database.reading() as tx:
        rows = await store.find_paid(tx, number.strip(), None, b"")
    return redirect(f"/agents/orders/{rows[0].order_id}" if rows else "/agents/queue")


@routes.get("/agents/orders/{order_id}")
async def show(order_id: UUID, session: SignedIn, pages: OrderPagesDep) -> Response:
    return await pages.show(session, order_id)


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _found(order: FoundOrder) -> dict[str, Any]:
    """A line of the search. The same names as `_paid`."""
    return {
        "order_id": order.order_id,
        "order_number": order.order_number,
        "storefront": order.storefront,
        "at": order.placed_at,
        "what": order.plan_title,
        "status": "held" if order.held else order.status,
        "name": order.contact.name if order.contact else None,
    }


def _paid(row: Any) -> dict[str, Any]:
    return {
        "order_id": row.order_id,
        "order_number": row.order_number,
        "storefront": row.storefront,
        "at": row.paid_at,
        "what": None,
        "status": None,
        "name": None,
    }
