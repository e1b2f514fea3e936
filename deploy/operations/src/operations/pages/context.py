"""What every page needs: who asks, what the services say, where traces are shown, what time it is."""

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from fastapi import Request

from operations.clients.services import ServicesClient
from shared.database import Database
from shared.kernel.problems import Problem
from shared.signin.sessions import Session, Sessions
from shared.telemetry.trace_links import TraceLinks

OPERATOR, VIEWER = ROLES = ("operator", "viewer")


@dataclass(slots=True, frozen=True)
class Room:
    """One per service."""

    database: Database
    sessions: Sessions
    client: ServicesClient
    traces: TraceLinks

    def now(self) -> datetime:
        return self.database.clock.now()

    async def acting(self, request: Request, csrf: str) -> Session:
        """Who acts. Raises SignedOutError, Problem (403) also for viewers."""
        session = await self.sessions.acting(request, csrf)
        if session.role != OPERATOR:
            raise Problem(HTTPStatus.FORBIDDEN, "for-operators", "You may look, not act. An operator has to do this.")
        return session
