"""The pages of dead letters: the list, one dead letter, and redriving or discarding them after a dry run."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from operations.dependencies import Traces
from operations.pages.dependencies import Actions, Operating, Viewing
from operations.pages.rendering import BASE
from operations.pages.selection import DeadLetterFilter, Selection, Text, completeness, ids_by_service, reason
from shared.kernel.problems import Problem
from shared.kernel.services import Answer, NotAnsweredError
from shared.operations.answers import MOST, DeadLetter, DeadLetterInFull, DeadLetters, DeadLetterState
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

STATES: tuple[str, ...] = get_args(DeadLetterState)
_MOST_SHOWN = 50
routes = APIRouter(prefix=f"{BASE}/dead-letters")


class FilterFields(BaseModel):
    """The conditions that the list and the forms have in common."""

    service: Text = ""
    topic: Text = ""
    why: Text = ""
    key: Text = ""

    def filter(self) -> DeadLetterFilter:
        """The conditions as a filter."""
        return DeadLetterFilter(self.service, self.topic, self.why, self.key)


class ListQuery(FilterFields):
    """What the list shows. A state that is not one of STATES: any."""

    state: Text = "waiting"
    after: UUID | None = None


class DecisionForm(FilterFields):
    """The form that redrives or discards: the chosen ones, or with `by_filter` all that the filter matches."""

    action: Literal["redrive", "discard"]
    words: Annotated[str, Line(500, 0)] = ""
    chosen: list[Named] = Field(default_factory=list, max_length=MOST)
    by_filter: bool = False
    limit: int = Field(100, ge=1, le=MOST)

    def selection(self) -> Selection:
        """Raises Problem (422) where nothing is selected."""
        if self.by_filter:
            return Selection(filter=self.filter(), limit=self.limit)
        return Selection(ids_by_service(self.chosen))


@routes.get("")
async def dead_letters(viewer: Viewing, query: Annotated[ListQuery, Query()]) -> Response:
    state = query.state if query.state in STATES else ""
    answers = await viewer.services.read_all(
        DeadLetters,
        "dead-letters",
        viewer.trace,
        services=[query.service] if query.service else None,
        state=state,
        limit=_MOST_SHOWN,
        after=query.after,
        **query.filter().query(),
    )
    return viewer.page(
        "dead_letters",
        services=viewer.services.names,
        states=STATES,
        state=state,
        filter=query.filter(),
        dead_letters=newest_first(answers),
        **completeness(answers),
    )


@routes.get("/{service}/{letter_id}")
async def dead_letter(service: Named, letter_id: UUID, viewer: Viewing, traces: Traces) -> Response:
    try:
        record = await viewer.services.read(service, DeadLetterInFull, f"dead-letters/{letter_id}", viewer.trace)
    except NotAnsweredError as error:
        raise Problem(HTTPStatus.NOT_FOUND, "no-answer", f"{service} {error}.") from error
    return viewer.page("dead_letter", dead_letter=record, trace_link=traces.by_id(record.trace))


@routes.post("/preview")
async def preview(form: Annotated[DecisionForm, Form()], operator: Operating, actions: Actions) -> Response:
    selection = form.selection()
    outcomes = await actions.preview(form.action, selection)
    return operator.page("preview", action=form.action, selection=selection, **_totals(outcomes))


@routes.post("/decide")
async def decide(form: Annotated[DecisionForm, Form()], actions: Actions) -> Response:
    entry = await actions.decide(form.action, form.selection(), reason(form.words))
    return redirect(f"{BASE}/audit/{entry}")


def newest_first(answers: Sequence[Answer[DeadLetters]]) -> list[DeadLetter]:
    """The dead letters of all services, the newest first."""
    items = [item for answer in answers if answer.value is not None for item in answer.value.items]
    return sorted(items, key=lambda item: item.received_at, reverse=True)


def _totals(outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    answered = [outcome for outcome in outcomes if "problem" not in outcome]
    return {
        "outcomes": outcomes,
        "taken": sum(len(outcome["taken"]) for outcome in answered),
        "refused": sum(len(outcome["refused"]) for outcome in answered),
        "left": sum(outcome["left"] for outcome in answered),
    }
