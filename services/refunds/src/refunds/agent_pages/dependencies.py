"""FastAPI dependencies of the agents' pages: who is signed in, and who sends a form."""

from typing import Annotated

from fastapi import Depends, Form, Request

from refunds.clients.services import ServicesClient
from shared.signin.sessions import Session, Sessions
from shared.values.opaque import Named


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.agent_sessions
    return sessions


def _services(request: Request) -> ServicesClient:
    services: ServicesClient = request.app.state.services
    return services


#: The other services, which are read for the pages.
Services = Annotated[ServicesClient, Depends(_services)]
SessionsDep = Annotated[Sessions, Depends(_sessions)]


async def _signed_in(request: Request, sessions: SessionsDep) -> Session:
    return await sessions.of(request)


async def _sending(request: Request, sessions: SessionsDep, csrf: Annotated[Named, Form()]) -> Session:
    return await sessions.acting(request, csrf)


#: Who views a page. Others are redirected to the sign-in.
SignedIn = Annotated[Session, Depends(_signed_in)]
#: Who sends a form of these pages. Others are redirected to the sign-in; a form of another site is answered 403.
Sending = Annotated[Session, Depends(_sending)]
