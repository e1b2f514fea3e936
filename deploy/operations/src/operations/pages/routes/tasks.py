"""The page of stuck tasks of all services, and retrying them at once."""

from collections.abc import Sequence
from typing import Annotated, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel

from operations.pages.dependencies import Actions, Viewing
from operations.pages.rendering import BASE
from operations.pages.selection import Selection, Text, completeness, ids_by_service, reason
from shared.kernel.services import Answer
from shared.operations.answers import Work, WorkRow, WorkState
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

STATES: tuple[str, ...] = get_args(WorkState)
_MOST_SHOWN = 50
routes = APIRouter(prefix=f"{BASE}/work")


class ListQuery(BaseModel):
    """What the list shows. `show`: `stuck` or `all`; `about`: an order's id, or a part of a task's key."""

    service: Text = ""
    state: Text = ""
    kind: Text = ""
    about: Annotated[str, Line(100, 0)] = ""
    show: Text = "stuck"
    after: UUID | None = None


@routes.get("")
async def tasks(viewer: Viewing, query: Annotated[ListQuery, Query()]) -> Response:
    answers = await viewer.services.read_all(
        Work,
        "work",
        viewer.trace,
        services=[query.service] if query.service else None,
        state=query.state if query.state in STATES else "",
        kind=query.kind,
        about=query.about,
        stuck="false" if query.show == "all" else "true",
        limit=_MOST_SHOWN,
        after=query.after,
    )
    return viewer.page(
        "tasks",
        services=viewer.services.names,
        states=STATES,
        filter=query,
        tasks=oldest_first(answers),
        **completeness(answers),
    )


@routes.post("/retry")
async def retry(
    actions: Actions,
    words: Annotated[str, Line(500, 0), Form()] = "",
    chosen: Annotated[Sequence[Named], Form()] = (),
) -> Response:
    entry = await actions.decide("retry", Selection(ids_by_service(chosen)), reason(words))
    return redirect(f"{BASE}/audit/{entry}")


def oldest_first(answers: Sequence[Answer[Work]]) -> list[WorkRow]:
    """The tasks of all services; the one that has been due longest first."""
    rows = [row for answer in answers if answer.value is not None for row in answer.value.items]
    return sorted(rows, key=lambda row: row.due_at)
