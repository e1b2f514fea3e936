"""GET /top-ups/{order_id}: a paid top-up."""

from datetime import datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from provisioning.dependencies import OperatorsDependency, agent
from shared.contracts import OperatorStatus
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

_TOP_UP = """
SELECT t.order_id, t.order_number, t.storefront, t.iccid, t.esim_order_id, t.operator, t.state, t.statuses, t.reason,
       t.total_bytes, t.plan_ends_at, t.paid_at, t.deadline, t.settled_at,
       w.state AS work_state, w.last_error, w.due_at AS next_attempt_at
FROM top_ups t LEFT JOIN work w ON w.kind = ANY(CAST(:kinds AS text[])) AND w.key = :key
WHERE t.order_id = :id
"""


routes = APIRouter(tags=["profiles"], dependencies=[agent])


class TopUpView(BaseModel):
    """A paid top-up. state: due | applied | failed. `work_state`: why it waits (parked: a person must act)."""

    order_id: UUID
    order_number: str
    storefront: str
    iccid: str | None
    esim_order_id: UUID | None
    operator: str
    state: str
    statuses: list[OperatorStatus]
    reason: str | None
    total_bytes: int | None
    plan_ends_at: datetime | None
    paid_at: datetime
    deadline: datetime
    settled_at: datetime | None
    work_state: str | None
    last_error: str | None
    next_attempt_at: datetime | None


@routes.get("/top-ups/{order_id}")
async def top_up(order_id: UUID, database: ServiceDatabase, operators: OperatorsDependency) -> TopUpView:
    """A top-up: applied, on its way, or failed, and why."""
    kinds = [operators.kind("life", name) for name in operators.names]
    async with database.reading() as tx:
        row: Any = (await tx.execute(_TOP_UP, id=order_id, key=f"top_up:{order_id}", kinds=kinds)).one_or_none()
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No paid top-up of this id has arrived here.")
    return TopUpView.model_validate(row._asdict())
