"""FastAPI dependencies that the routes of all features use. `app.py` sets what they read from `app.state`."""

from typing import Annotated

from fastapi import Depends, Request

from shared.clock import Clock
from shared.database import Database
from shared.shops.files import ShopFiles
from shared.shops.reading import Shops


def database_of(request: Request) -> Database:
    database: Database = request.app.state.service.database
    return database


def clock_of(request: Request) -> Clock:
    clock: Clock = request.app.state.service.clock
    return clock


def trace_of(request: Request) -> str | None:
    trace: str | None = request.state.trace
    return trace


def shops_of(request: Request) -> Shops:
    shops: ShopFiles = request.app.state.shops
    return shops.current()


DatabaseDep = Annotated[Database, Depends(database_of)]
ClockDep = Annotated[Clock, Depends(clock_of)]
#: The shops in force.
ShopsDep = Annotated[Shops, Depends(shops_of)]
#: The traceparent that everything which follows from this request continues.
TraceDep = Annotated[str | None, Depends(trace_of)]
