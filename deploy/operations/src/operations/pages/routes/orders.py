"""The pages of orders: the search, and one order with everything that is stored of it."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response
from pydantic import ValidationError

from operations.audit import record
from operations.dependencies import Hashes, Spans, Traces
from operations.orders import find_order, search_orders, with_spans
from operations.orders.models import OrderLine, OrderView, Search
from operations.pages.dependencies import Sending, Viewing
from operations.pages.rendering import BASE
from operations.pages.routes.dead_letters import newest_first
from operations.pages.routes.tasks import oldest_first
from shared.kernel.problems import Problem
from shared.operations.answers import DeadLetters, Work
from shared.signin.rendering import redirect
from shared.values import iccid
from shared.values.text import Line

_MOST_SHOWN = 50
_SEPARATORS = re.compile(r"[\s-]")
_NOT_UNDERSTOOD = "This is neither an order number, nor an order's id, nor an ICCID, nor an e-mail address."
routes = APIRouter(prefix=BASE)


@routes.post("/search")
async def search(sender: Sending, hashes: Hashes, wanted: Annotated[str, Line(254, 0), Form()] = "") -> Response:
    """Posted, because an e-mail address must stand in no URL and no log. The page does not repeat it either."""
    query = read_query(wanted)
    if query is None:
        return sender.page(
            "search", HTTPStatus.UNPROCESSABLE_ENTITY, orders=[], by="", wanted=wanted.strip(), wrong=_NOT_UNDERSTOOD
        )
    async with sender.database.reading() as tx:
        orders: list[OrderLine] = await search_orders(tx, query, hashes)
    [by] = query.model_fields_set
    if by == "email":
        async with sender.database.transaction() as tx:
            await record(tx, sender.session.who, "searched_by_email", outcome={"orders": len(orders)})
    if len(orders) == 1:
        return redirect(f"{BASE}/orders/{orders[0].order_id}")
    return sender.page("search", orders=orders, by=by, wanted="" if by == "email" else wanted.strip(), wrong=None)


@routes.get("/orders/{order_id}")
async def order(order_id: UUID, viewer: Viewing, traces: Traces, trace_store: Spans) -> Response:
    async def read_order() -> OrderView | None:
        async with viewer.database.reading() as tx:
            stored = await find_order(tx, order_id, traces)
        return None if stored is None else await with_spans(stored, trace_store)

    view, work, letters = await asyncio.gather(
        read_order(),
        viewer.services.read_all(Work, "work", viewer.trace, about=str(order_id), limit=_MOST_SHOWN),
        viewer.services.read_all(DeadLetters, "dead-letters", viewer.trace, key=str(order_id), limit=_MOST_SHOWN),
    )
    tasks, dead_letters = oldest_first(work), newest_first(letters)
    if view is None and not tasks and not dead_letters:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No fact about such an order is known (any more).")
    return viewer.page(
        "order",
        order_id=order_id,
        order=view,
        tasks=tasks,
        dead_letters=dead_letters,
        unavailable=[answer for answer in work if answer.problem],
    )


def read_query(wanted: str) -> Search | None:
    """The text of the search field as a search; None where it is none of the four."""
    text = wanted.strip()
    digits = _SEPARATORS.sub("", text)
    try:
        if "@" in text:
            return Search(email=text)
        if text.startswith("89") and (parsed := iccid.read(text)) is not None:
            return Search(iccid=parsed)
        if digits.isdecimal():
            return Search(number=digits)
        return Search(order_id=UUID(text))
    except (ValidationError, ValueError):
        return None
