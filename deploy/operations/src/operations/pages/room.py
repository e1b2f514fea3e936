"""What every page needs: who asks, what the services say, where traces are shown, what time it is."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import Request

from operations.services_client import ServicesClient
from shared.database import Database
from shared.kernel.problems import Problem
from shared.signin.sessions import Session, Sessions

OPERATOR = "operator"
ROLES = (OPERATOR, "viewer")


@dataclass(slots=True, frozen=True)
class Room:
    """One per service."""

    database: Database
    sessions: Sessions
    client: ServicesClient
    trace_url_template: str | None

    def now(self) -> datetime:
        return self.database.clock.now()

    async def acting(self, request: Request, csrf: str) -> Session:
        """Who acts. Raises SignedOutError, Problem (403) also for viewers."""
        session = await self.sessions.acting(request, csrf)
        if session.role != OPERATOR:
            raise Problem(HTTPStatus.FORBIDDEN, "for-operators", "You may look, not act. An operator has to do this.")
        return session

    def trace_link(self, trace_id: str | None, span_id: str = "") -> str | None:
        """Where people see a trace; None where no such place is configured, or there is no trace."""
        if self.trace_url_template is None or trace_id is None:
            return None
        return self.trace_url_template.replace("{trace_id}", trace_id).replace("{span_id}", span_id)
