"""FastAPI dependencies of the pages: the request of a signed-in person, and the actions of an operator."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from operations.audit import AuditLog
from operations.dependencies import Services, SignedInSessions
from operations.pages.actions import ServiceActions
from operations.pages.rendering import page
from operations.pages.roles import OPERATOR
from shared.database import Database
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.kernel.services import ServicesClient
from shared.signin.sessions import Session


@dataclass(slots=True, frozen=True)
class PageContext:
    """A request of a signed-in person. `trace`: the request's traceparent."""

    session: Session
    trace: str | None
    database: Database
    services: ServicesClient

    def page(self, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
        """Render a page for this person, at this time."""
        return page(template, status, session=self.session, now=self.database.clock.now(), **values)


async def _viewing(
    request: Request,
    sessions: SignedInSessions,
    trace: RequestTrace,
    database: ServiceDatabase,
    services: Services,
) -> PageContext:
    return PageContext(await sessions.of(request), trace, database, services)


async def _sending(
    request: Request,
    sessions: SignedInSessions,
    trace: RequestTrace,
    database: ServiceDatabase,
    services: Services,
) -> PageContext:
    token = (await request.form()).get("csrf")
    session = await sessions.acting(request, token if isinstance(token, str) else "")
    return PageContext(session, trace, database, services)


#: Who views a page. Others are redirected to the sign-in.
Viewing = Annotated[PageContext, Depends(_viewing)]
#: Who sends a form of these pages. Others are redirected to the sign-in; a form of another site is answered 403.
Sending = Annotated[PageContext, Depends(_sending)]


async def _operating(context: Sending) -> PageContext:
    if context.session.role != OPERATOR:
        raise Problem(HTTPStatus.FORBIDDEN, "for-operators", "You may look, not act. An operator has to do this.")
    return context


#: An operator who sends a form. A viewer is answered 403.
Operating = Annotated[PageContext, Depends(_operating)]


async def _audit_log(database: ServiceDatabase) -> AuditLog:
    return AuditLog(database)


Audit = Annotated[AuditLog, Depends(_audit_log)]


async def _actions(context: Operating, audit_log: Audit) -> ServiceActions:
    return ServiceActions(context.services, audit_log, context.session, context.trace)


#: What an operator does in the services.
Actions = Annotated[ServiceActions, Depends(_actions)]
