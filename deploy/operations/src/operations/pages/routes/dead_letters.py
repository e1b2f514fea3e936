"""Dead letters: the list, one of them, and redriving or discarding them after a look at what that would do."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from operations.clients.services import Answer, NotAnsweredError
from operations.pages.actions import Hands
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.selection import Chosen, LetterFilter, Text, reason, rows
from shared.kernel.problems import Problem
from shared.operations.answers import MOST, DeadLetter, DeadLetterInFull, DeadLetters, DeadLetterState
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

STATES: tuple[str, ...] = get_args(DeadLetterState)
_MOST_SHOWN = 50


class Filtered(BaseModel):
    """The conditions that lists and forms have in common."""

    service: Text = ""
    topic: Text = ""
    why: Text = ""
    key: Text = ""

    def filter(self) -> LetterFilter:
        """As a filter."""
        return LetterFilter(self.service, self.topic, self.why, self.key)


class Listing(Filtered):
    """What the list shows. Another state than one of STATES: any."""

    state: Text = "waiting"
    after: UUID | None = None


class Deciding(Filtered):
    """A form that redrives or discards: those chosen, or with `by_filter` all that the filter finds."""

    csrf: Named
    action: Literal["redrive", "discard"]
    words: Annotated[str, Line(500, 0)] = ""
    chosen: list[Named] = Field(default_factory=list, max_length=MOST)
    by_filter: bool = False
    limit: int = Field(100, ge=1, le=MOST)

    def wanted(self) -> Chosen:
        """Raises Problem (422) where nothing is chosen."""
        if self.by_filter:
            return Chosen(filter=self.filter(), limit=self.limit)
        return Chosen(rows(self.chosen))


def router(room: Room, hands: Hands) -> APIRouter:
    """The pages of dead letters."""
    routes = APIRouter(prefix=f"{BASE}/dead-letters", include_in_schema=False)

    @routes.get("")
    async def listing(request: Request, asked: Annotated[Listing, Query()]) -> Response:
        session = await room.sessions.of(request)
        state = asked.state if asked.state in STATES else ""
        answers = await room.client.everywhere(
            DeadLetters,
            "dead-letters",
            request.state.trace,
            services=[asked.service] if asked.service else None,
            state=state,
            limit=_MOST_SHOWN,
            after=asked.after,
            **asked.filter().query(),
        )
        return page(
            "letters",
            session=session,
            now=room.now(),
            services=room.client.names,
            states=STATES,
            state=state,
            filter=asked.filter(),
            letters=newest(answers),
            unasked=[one for one in answers if one.problem],
            more=[(one.service, one.found.next) for one in answers if one.found is not None and one.found.next],
        )

    @routes.get("/{service}/{letter_id}")
    async def show(request: Request, service: Named, letter_id: UUID) -> Response:
        session = await room.sessions.of(request)
        try:
            letter = await room.client.read(service, DeadLetterInFull, f"dead-letters/{letter_id}", request.state.trace)
        except NotAnsweredError as error:
            raise Problem(HTTPStatus.NOT_FOUND, "no-answer", f"{service} {error}.") from error
        return page(
            "letter", session=session, now=room.now(), letter=letter, trace_link=room.traces.by_id(letter.trace)
        )

    @routes.post("/preview")
    async def preview(request: Request, form: Annotated[Deciding, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        wanted = form.wanted()
        outcomes = await hands.look(session, form.action, wanted, request.state.trace)
        return page("preview", session=session, now=room.now(), action=form.action, chosen=wanted, **_sums(outcomes))

    @routes.post("/decide")
    async def decide(request: Request, form: Annotated[Deciding, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        entry = await hands.act(session, form.action, form.wanted(), reason(form.words), request.state.trace)
        return redirect(f"{BASE}/audit/{entry}")

    return routes


def newest(answers: Sequence[Answer[DeadLetters]]) -> list[DeadLetter]:
    """The letters of all services, the newest first."""
    found = [letter for one in answers if one.found is not None for letter in one.found.items]
    return sorted(found, key=_received, reverse=True)


def _received(letter: DeadLetter) -> datetime:
    return letter.received_at


def _sums(outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    asked = [one for one in outcomes if "problem" not in one]
    return {
        "outcomes": outcomes,
        "taken": sum(len(one["taken"]) for one in asked),
        "refused": sum(len(one["refused"]) for one in asked),
        "left": sum(one["left"] for one in asked),
    }
