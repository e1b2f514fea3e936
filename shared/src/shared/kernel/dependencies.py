"""FastAPI dependencies of the endpoints of every service: its database and clock, and the request's trace.

`Service.serves` sets the service that they read.
"""

from typing import Annotated

from fastapi import Depends, Request

from shared.clock import Clock
from shared.database import Database


async def _database(request: Request) -> Database:
    database: Database = request.app.state.service.database
    return database


async def _clock(request: Request) -> Clock:
    clock: Clock = request.app.state.service.clock
    return clock


async def _trace(request: Request) -> str | None:
    trace: str | None = request.state.trace
    return trace


ServiceDatabase = Annotated[Database, Depends(_database)]
ServiceClock = Annotated[Clock, Depends(_clock)]
#: The traceparent that everything which follows from this request continues.
RequestTrace = Annotated[str | None, Depends(_trace)]
