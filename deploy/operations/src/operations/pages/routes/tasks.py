"""Work that does not go by itself, of all services, and having it tried now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from operations.clients.services import Answer
from operations.pages.actions import Hands
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.selection import Chosen, Text, reason, rows
from shared.operations.answers import Work, WorkRow, WorkState
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

STATES: tuple[str, ...] = get_args(WorkState)
_MOST_SHOWN = 50


class Listing(BaseModel):
    """What the list shows; `show`: stuck, or all. `about`: an order's id, or a part of a row's key."""

    service: Text = ""
    state: Text = ""
    kind: Text = ""
    about: Annotated[str, Line(100, 0)] = ""
    show: Text = "stuck"
    after: UUID | None = None


def router(room: Room, hands: Hands) -> APIRouter:
    """The pages of due work."""
    routes = APIRouter(prefix=f"{BASE}/work", include_in_schema=False)

    @routes.get("")
    async def listing(request: Request, asked: Annotated[Listing, Query()]) -> Response:
        session = await room.sessions.of(request)
        answers = await room.client.everywhere(
            Work,
            "work",
            request.state.trace,
            services=[asked.service] if asked.service else None,
            state=asked.state if asked.state in STATES else "",
            kind=asked.kind,
            about=asked.about,
            stuck="false" if asked.show == "all" else "true",
            limit=_MOST_SHOWN,
            after=asked.after,
        )
        return page(
            "work",
            session=session,
            now=room.now(),
            services=room.client.names,
            states=STATES,
            filter=asked,
            work=oldest(answers),
            unasked=[one for one in answers if one.problem],
            more=[(one.service, one.found.next) for one in answers if one.found is not None and one.found.next],
        )

    @routes.post("/retry")
    async def retry(
        request: Request,
        csrf: Annotated[Named, Form()],
        words: Annotated[str, Line(500, 0), Form()] = "",
        chosen: Annotated[Sequence[Named], Form()] = (),
    ) -> Response:
        session = await room.acting(request, csrf)
        entry = await hands.act(session, "retry", Chosen(rows(chosen)), reason(words), request.state.trace)
        return redirect(f"{BASE}/audit/{entry}")

    return routes


def oldest(answers: Sequence[Answer[Work]]) -> list[WorkRow]:
    """The work of all services, what is due longest first."""
    found = [row for one in answers if one.found is not None for row in one.found.items]
    return sorted(found, key=_due)


def _due(row: WorkRow) -> datetime:
    return row.due_at
