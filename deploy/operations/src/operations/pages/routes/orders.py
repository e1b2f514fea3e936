"""Finding orders, and one order with all that is known of it."""

import asyncio
import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import ValidationError

from operations.audit.store import record
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.routes.dead_letters import newest
from operations.pages.routes.tasks import oldest
from operations.reading import OrderLine, Reading, Search
from shared.kernel.problems import Problem
from shared.operations.answers import DeadLetters, Work
from shared.signin.rendering import redirect
from shared.values import iccid
from shared.values.opaque import Named
from shared.values.text import Line

_MOST_SHOWN = 50
_SEPARATORS = re.compile(r"[\s-]")
_NOT_UNDERSTOOD = "This is neither an order number, nor an order's id, nor an ICCID, nor an e-mail address."


def router(room: Room, reading: Reading) -> APIRouter:
    """`/console/search`, `/console/orders/{order_id}`."""
    routes = APIRouter(include_in_schema=False)

    @routes.post(f"{BASE}/search")
    async def search(
        request: Request, csrf: Annotated[Named, Form()], wanted: Annotated[str, Line(254, 0), Form()] = ""
    ) -> Response:
        """Posted, because an e-mail address belongs into no address and no log; it is not shown again either."""
        session = await room.sessions.acting(request, csrf)
        asked = understood(wanted)
        found: list[OrderLine] = [] if asked is None else await reading.search(asked)
        by = "" if asked is None else next(iter(asked.model_fields_set))
        if by == "email":
            async with room.database.transaction() as tx:
                await record(tx, session.who, "searched_by_email", outcome={"orders": len(found)})
        if len(found) == 1:
            return redirect(f"{BASE}/orders/{found[0].order_id}")
        shown = "" if by in ("", "email") else wanted.strip()
        wrong = _NOT_UNDERSTOOD if asked is None else None
        status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
        return page("found", status, session=session, now=room.now(), found=found, by=by, wanted=shown, wrong=wrong)

    @routes.get(f"{BASE}/orders/{{order_id}}")
    async def show(request: Request, order_id: UUID) -> Response:
        session = await room.sessions.of(request)
        trace = request.state.trace
        order, work, letters = await asyncio.gather(
            reading.order(order_id, with_spans=True),
            room.client.everywhere(Work, "work", trace, about=str(order_id), limit=_MOST_SHOWN),
            room.client.everywhere(DeadLetters, "dead-letters", trace, key=str(order_id), limit=_MOST_SHOWN),
        )
        waiting, aside = oldest(work), newest(letters)
        if order is None and not waiting and not aside:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No fact about such an order is known (any more).")
        return page(
            "order",
            session=session,
            now=room.now(),
            order_id=order_id,
            order=order,
            work=waiting,
            letters=aside,
            unasked=[one for one in work if one.problem],
        )

    return routes


def understood(wanted: str) -> Search | None:
    """What somebody typed into the search field, as what to look for."""
    text = wanted.strip()
    digits = _SEPARATORS.sub("", text)
    try:
        if "@" in text:
            return Search(email=text)
        if text.startswith("89") and (found := iccid.read(text)) is not None:
            return Search(iccid=found)
        if digits.isdecimal():
            return Search(number=digits)
        return Search(order_id=UUID(text))
    except (ValidationError, ValueError):
        return None
