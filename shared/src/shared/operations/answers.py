"""Request and response bodies of `/operations`."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.values.moment import MomentOrUtc
from shared.values.text import Line

MOST = 1000
#: Kept with who and when. Printable, so that a log cannot be forged by a line break.
Reason = Annotated[str, Line(500, 3)]
#: A condition of a filter: keys of strangers' records may be long.
Condition = Annotated[str, Line(10_000, 0)]
DeadLetterState = Literal["waiting", "redriven", "discarded"]
WorkState = Literal["due", "unknown", "parked"]


class RequestBody(BaseModel):
    """Base of request bodies. Unknown fields are refused: a misspelt filter must not select everything."""

    model_config = ConfigDict(extra="forbid")


class Filter(RequestBody):
    """Which waiting dead letters; all conditions have to hold. None where `service` is another service."""

    topic: Condition | None = None
    reason: Condition | None = None
    key: Condition | None = None
    since: MomentOrUtc | None = None
    until: MomentOrUtc | None = None
    service: Condition | None = None


class Decide(RequestBody):
    """Dead letters by their ids or by a filter, at most `limit` of them, the oldest first."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST)] | None = None
    filter: Filter | None = None
    limit: int = Field(100, ge=1, le=MOST)
    dry_run: bool = False
    reason: Reason

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or a filter")
        return self


class Retry(RequestBody):
    """Tasks by their ids."""

    ids: list[UUID] = Field(min_length=1, max_length=MOST)
    dry_run: bool = False
    reason: Reason


class RefusedId(BaseModel):
    """Why nothing was done with this row. `found` is false where this service has no such row."""

    id: UUID
    reason: str
    found: bool = True


class DecisionResult(BaseModel):
    """`taken`: done, or in a dry run what would be tried. `left`: how many of `matched` were not tried."""

    service: str
    dry_run: bool
    matched: int
    taken: list[UUID]
    refused: list[RefusedId]
    left: int


class DeadLetter(BaseModel):
    """A record that could not be applied. `offset` is its place on `topic`; `trace` is the id of its trace."""

    id: UUID
    service: str
    topic: str
    partition: int
    offset: int
    key: str | None
    reason: str
    detail: str
    headers: dict[str, str]
    sealed: bool
    received_at: datetime
    state: DeadLetterState
    decided_at: datetime | None
    decided_by: str | None
    decision: str | None
    redrives: int
    trace: str | None


class DeadLetterInFull(DeadLetter):
    """`payload`: JSON where it is JSON, otherwise text; null where it is sealed or the record had none."""

    payload: Any


class DeadLetters(BaseModel):
    """The newest first; send `next` as `after` for more."""

    items: list[DeadLetter]
    next: UUID | None


class WorkRow(BaseModel):
    """A task without its payload. `held`: a process performs it now."""

    id: UUID
    service: str
    kind: str
    key: str
    state: WorkState
    attempts: int
    due_at: datetime
    created_at: datetime
    last_error: str | None
    held: bool
    trace: str | None


class Work(BaseModel):
    """The oldest first; send `next` as `after` for more."""

    items: list[WorkRow]
    next: UUID | None


class LogLine(BaseModel):
    """Who did what to which row, and why."""

    id: UUID
    service: str
    at: datetime
    who: str
    action: str
    subject: str
    reason: str
    details: dict[str, Any]


class Log(BaseModel):
    """The newest first; send `next` as `after` for more."""

    items: list[LogLine]
    next: UUID | None


class DeadLetterCounts(BaseModel):
    """Dead letters by state."""

    waiting: int = 0
    redriven: int = 0
    discarded: int = 0


class WorkCount(BaseModel):
    """Tasks of one kind and state, also those that a process performs now."""

    kind: str
    state: WorkState
    rows: int
    oldest_due_at: datetime


class OutboxCount(BaseModel):
    """Events that are committed and not acknowledged by Kafka yet."""

    rows: int
    oldest: datetime | None


class ConsumerState(BaseModel):
    """Why the service is not ready, by part; `halted`: it stopped consuming on purpose (too many bad records)."""

    problems: dict[str, str]
    halted: str | None


class Summary(BaseModel):
    """The state of a service."""

    service: str
    dead_letters: DeadLetterCounts
    work: list[WorkCount]
    outbox: OutboxCount
    consumer: ConsumerState
