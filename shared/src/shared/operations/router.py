"""`/operations` of every service. All requests need `Authorization: Bearer <an operations key>`."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from shared.kernel.problems import Problem
from shared.operations import dead_letters as store
from shared.operations import showing, stuck
from shared.operations.answers import (
    ConsumerState,
    DeadLetter,
    DeadLetterCounts,
    DeadLetterInFull,
    DeadLetters,
    DeadLetterState,
    Decide,
    Filter,
    Log,
    LogLine,
    OutboxCount,
    Outcome,
    Retry,
    Summary,
    Work,
    WorkState,
)
from shared.operations.callers import callers
from shared.operations.service import OperationsService
from shared.values.moment import MomentOrUtc
from shared.values.text import Line

_PAGE = 200
Limit = Annotated[int, Query(ge=1, le=_PAGE)]
Text = Annotated[Annotated[str, Line(200, 0)] | None, Query()]


def router(operations: OperationsService) -> APIRouter:
    """The pages of one service's operations desk."""
    routes = APIRouter(prefix="/operations", tags=["operations"])
    caller = callers(operations.keys)
    name, database = operations.name, operations.database
    Caller = Annotated[str, Depends(caller)]  # noqa: N806 - a type

    @routes.get("/summary")
    async def summary(_caller: Caller) -> Summary:
        """How the service stands: what waits for a person, what is due, what is not published yet."""
        async with database.reading() as tx:
            by_state = await store.counts(tx)
            work = await stuck.counts(tx)
            outbox = await stuck.outbox(tx)
        return Summary(
            service=name,
            dead_letters=DeadLetterCounts(**by_state),
            work=work,
            outbox=OutboxCount(rows=outbox.rows, oldest=outbox.oldest),
            consumer=ConsumerState(problems=await operations.problems(), halted=operations.halted()),
        )

    @routes.get("/dead-letters")
    async def dead_letters(
        _caller: Caller,
        state: DeadLetterState | None = None,
        topic: Text = None,
        reason: Text = None,
        key: Text = None,
        since: MomentOrUtc | None = None,
        until: MomentOrUtc | None = None,
        limit: Limit = 50,
        after: UUID | None = None,
    ) -> DeadLetters:
        """Records that were put aside, the newest first; of any state where none is asked for."""
        chosen = Filter(topic=topic, reason=reason, key=key, since=since, until=until)
        async with database.reading() as tx:
            rows = await store.page(tx, state, chosen, after, limit)
        items: list[DeadLetter] = [showing.letter(row, name) for row in rows]
        return DeadLetters(items=items, next=items[-1].id if len(items) == limit else None)

    @routes.get("/dead-letters/{letter_id}")
    async def dead_letter(_caller: Caller, letter_id: UUID) -> DeadLetterInFull:
        """One of them, with its payload where that is not sealed."""
        async with database.reading() as tx:
            row = await store.find(tx, letter_id)
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-dead-letter", "There is no such dead letter (any more).")
        return showing.letter_in_full(row, name)

    @routes.post("/dead-letters/redrive")
    async def redrive(who: Caller, body: Decide) -> Outcome:
        """Apply letters as if they came now. Safe to repeat: a settled letter is refused."""
        return await operations.redrive(body, who)

    @routes.post("/dead-letters/discard")
    async def discard(who: Caller, body: Decide) -> Outcome:
        """Settle letters without applying them. What was sealed is deleted."""
        return await operations.discard(body, who)

    @routes.get("/work")
    async def work(
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
        """Due work, the oldest first, without what it is about to send."""
        async with database.reading() as tx:
            rows = await stuck.page(tx, state=state, kind=kind, about=about, stuck=stuck_only, after=after, limit=limit)
        items = [showing.work_row(row, name) for row in rows]
        return Work(items=items, next=items[-1].id if len(items) == limit else None)

    @routes.post("/work/retry")
    async def retry(who: Caller, body: Retry) -> Outcome:
        """Have due work tried now. What was parked is tried as `unknown`: its job asks the other side first."""
        return await operations.retry(body, who)

    @routes.get("/log")
    async def log(_caller: Caller, limit: Limit = 50, after: UUID | None = None) -> Log:
        """What was done here, by whom, when and why; the newest first."""
        async with database.reading() as tx:
            rows = await store.read_log(tx, after, limit)
        items = [LogLine(service=name, **row._asdict()) for row in rows]
        return Log(items=items, next=items[-1].id if len(items) == limit else None)

    return routes
