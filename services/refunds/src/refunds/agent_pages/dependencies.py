"""FastAPI dependencies of the agents' pages: who is signed in, and who sends a form."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Request

from refunds.support_answers import SupportAnswers
from shared.kernel.problems import Problem
from shared.kernel.services import ServicesClient
from shared.signin.sessions import Session, Sessions
from shared.values.opaque import Named
from shared.values.text import Lines

#: The most powerful role first. Viewers read everything, also the search, and change nothing.
ROLES = SUPERVISOR, AGENT, VIEWER = ("supervisor", "agent", "viewer")
ACTING = (SUPERVISOR, AGENT)


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.agent_sessions
    return sessions


def _services(request: Request) -> ServicesClient:
    services: ServicesClient = request.app.state.services
    return services


def _answers(request: Request) -> SupportAnswers:
    answers: SupportAnswers = request.app.state.support_answers
    return answers


@dataclass(slots=True, frozen=True)
class WrittenForm:
    """A text to the buyer. `key`: of the form, so that it is sent once; `fields`: what is asked for again."""

    key: Annotated[UUID, Form()]
    text: Annotated[str, Lines(4000, 0), Form()] = ""
    fields: Annotated[tuple[Named, ...], Form(max_length=10)] = ()


Written = Annotated[WrittenForm, Depends()]
#: What agents write to buyers.
Answers = Annotated[SupportAnswers, Depends(_answers)]
#: The other services, which are read for the pages.
Services = Annotated[ServicesClient, Depends(_services)]
SessionsDep = Annotated[Sessions, Depends(_sessions)]


async def _signed_in(request: Request, sessions: SessionsDep) -> Session:
    return await sessions.of(request)


async def _searching(request: Request, sessions: SessionsDep, csrf: Annotated[Named, Form()]) -> Session:
    return await sessions.acting(request, csrf)


#: Who sends a form that changes nothing, in any role.
Searching = Annotated[Session, Depends(_searching)]


async def acting_session(request: Request, sessions: Sessions, csrf: str) -> Session:
    """Who sends a form that the route reads itself: as `Sending`."""
    return _sending(await sessions.acting(request, csrf))


def _sending(session: Searching) -> Session:
    if session.role not in ACTING:
        raise Problem(HTTPStatus.FORBIDDEN, "for-agents", "You may look, not act. An agent has to do this.")
    return session


def _require_supervisor(session: Session) -> Session:
    if session.role != SUPERVISOR:
        raise Problem(HTTPStatus.FORBIDDEN, "for-supervisors", "This page is for supervisors.")
    return session


#: Who views a page. Others are redirected to the sign-in.
SignedIn = Annotated[Session, Depends(_signed_in)]
#: Who sends a form that changes something: agents and supervisors. Viewers, and forms of other sites, are answered 403.
Sending = Annotated[Session, Depends(_sending)]


def _viewing_supervisor(session: SignedIn) -> Session:
    return _require_supervisor(session)


def _sending_supervisor(session: Sending) -> Session:
    return _require_supervisor(session)


#: The same, for supervisors only. Others are answered 403.
ViewingSupervisor = Annotated[Session, Depends(_viewing_supervisor)]
SendingSupervisor = Annotated[Session, Depends(_sending_supervisor)]
