"""What the HTTP interface and the pages show of invariants. Times are UTC."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

Severity = Literal["page", "ticket"]


class ViolationView(BaseModel):
    """A violation of an invariant. `since`: its beginning by the facts; `first_seen_at`: when it was found."""

    invariant: str
    subject: str
    order_id: UUID | None
    order_number: str | None
    since: datetime | None
    detail: dict[str, Any]
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None


class InvariantView(BaseModel):
    """An invariant and its last evaluation. `violations` is None before the first one.

    `as_of`: every fact published until then had been applied; rules about orders judge nothing later. It does not move
    while the consumer has a backlog.
    """

    name: str
    severity: Severity
    title: str
    meaning: str
    violations: int | None
    evaluated_at: datetime | None
    as_of: datetime | None
    milliseconds: int | None


class InvariantDetail(InvariantView):
    """With the open violations (at most 100, the oldest first) and the last resolved ones (at most 20)."""

    open: list[ViolationView]
    resolved: list[ViolationView]


class Overview(BaseModel):
    """How much is stored, and which invariants are broken. `as_of`: as in `InvariantView`.

    `evaluated_at`: of the invariant that was evaluated longest ago; None while one has not been evaluated.
    """

    orders: int
    paid: int
    surplus_captures: int
    facts: int
    invariants: int
    broken: list[str]
    evaluated_at: datetime | None
    as_of: datetime | None
