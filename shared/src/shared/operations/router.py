"""`/operations` of every service. All requests need `Authorization: Bearer <an operations key>`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from pydantic import SecretStr

from shared.kernel.problems import Problem
from shared.operations import dead_letters, showing, stuck
from shared.operations.answers import (
    ConsumerState,
    DeadLetter,
    DeadLetterCounts,
    DeadLetterInFull,
    DeadLetters,
    DeadLetterState,
    Decide,
    DecisionResult,
    Filter,
    Log,
    LogLine,
    OutboxCount,
    Retry,
    Summary,
    Work,
    WorkState,
)
from shared.operations.callers import Caller, use_operations_keys
from shared.operations.service import OperationsService
from shared.values.moment import MomentOrUtc
from shared.values.text import Line

_PAGE = 200
Limit = Annotated[int, Query(ge=1, le=_PAGE)]
Text = Annotated[Annotated[str, Line(200, 0)] | None, Query()]
routes = APIRouter(prefix="/operations", tags=["operations"])


def serve_operations(app: FastAPI, service: OperationsService, keys: Mapping[str, SecretStr]) -> None:
    """Serve `/operations` of this service."""
    app.state.operations = service
    use_operations_keys(app, keys)
    app.include_router(routes)


def _service(request: Request) -> OperationsService:
    service: OperationsService = request.app.state.operations
    return service


def _conditions(
    topic: Text = None,
    reason: Text = None,
    key: Text = None,
    since: MomentOrUtc | None = None,
    until: MomentOrUtc | None = None,
) -> Filter:
    return Filter(topic=topic, reason=reason, key=key, since=since, until=until)


Operations = Annotated[OperationsService, Depends(_service)]
Conditions = Annotated[Filter, Depends(_conditions)]


@routes.get("/summary", name="summary")
async def summarise(operations: Operations, _caller: Caller) -> Summary:
    """The state of the service: what waits for a person, what is due, what is not published yet."""
    async with operations.database.reading() as tx:
        by_state = await dead_letters.counts(tx)
        work = await stuck.counts(tx)
        outbox = await stuck.outbox(tx)
    return Summary(
        service=operations.name,
        dead_letters=DeadLetterCounts(**by_state),
        work=work,
        outbox=OutboxCount(rows=outbox.rows, oldest=outbox.oldest),
        consumer=ConsumerState(problems=await operations.problems(), halted=operations.halted()),
    )


@routes.get("/dead-letters", name="dead_letters")
async def list_dead_letters(
    operations: Operations,
    _caller: Caller,
    conditions: Conditions,
    state: DeadLetterState | None = None,
    limit: Limit = 50,
    after: UUID | None = None,
) -> DeadLetters:
    """Records that could not be applied, the newest first; of any state when `state` is not given."""
    async with operations.database.reading() as tx:
        rows = await dead_letters.page(tx, state, conditions, after, limit)
    items: list[DeadLetter] = [showing.dead_letter(row, operations.name) for row in rows]
    return DeadLetters(items=items, next=items[-1].id if len(items) == limit else None)


@routes.get("/dead-letters/{letter_id}", name="dead_letter")
async def show_dead_letter(operations: Operations, _caller: Caller, letter_id: UUID) -> DeadLetterInFull:
    """One dead letter, with its payload where that is not sealed."""
    async with operations.database.reading() as tx:
        row = await dead_letters.find(tx, letter_id)
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-dead-letter", "There is no such dead letter (any more).")
    return showing.dead_letter_in_full(row, operations.name)


@routes.post("/dead-letters/redrive")
async def redrive(operations: Operations, caller: Caller, body: Decide) -> DecisionResult:
    """Apply dead letters as if they arrived now. Safe to repeat: a decided one is refused."""
    return await operations.redrive(body, caller)


@routes.post("/dead-letters/discard")
async def discard(operations: Operations, caller: Caller, body: Decide) -> DecisionResult:
    """Decide dead letters without applying them. Sealed payloads are deleted."""
    return await operations.discard(body, caller)


@routes.get("/work", name="work")
async def list_tasks(
    operations: Operations,
    _caller: Caller,
    state: WorkState | None = None,
    kind: Text = None,
    about: Annotated[
        Annotated[str, Line(100, 6)] | None, Query(description="an order's id, or a part of the row's key")
    ] = None,
    stuck_only: Annotated[
        bool, Query(alias="stuck", description="only what has been tried already or waits for a person")
    ] = False,
    limit: Limit = 50,
    after: UUID | None = None,
) -> Work:
    """Tasks, the oldest first, without their payloads."""
    async with operations.database.reading() as tx:
        rows = await stuck.page(tx, state=state, kind=kind, about=about, stuck=stuck_only, after=after, limit=limit)
    items = [showing.work_row(row, operations.name) for row in rows]
    return Work(items=items, next=items[-1].id if len(items) == limit else None)


@routes.post("/work/retry")
async def retry(operations: Operations, caller: Caller, body: Retry) -> DecisionResult:
    """Perform tasks now. A parked task is performed as `unknown`: its handler asks the other side first."""
    return await operations.retry(body, caller)


@routes.get("/log", name="log")
async def list_log(operations: Operations, _caller: Caller, limit: Limit = 50, after: UUID | None = None) -> Log:
    """What was done here, by whom, when and why; the newest first."""
    async with operations.database.reading() as tx:
        rows = await dead_letters.read_log(tx, after, limit)
    items = [LogLine(service=operations.name, **row._asdict()) for row in rows]
    return Log(items=items, next=items[-1].id if len(items) == limit else None)
