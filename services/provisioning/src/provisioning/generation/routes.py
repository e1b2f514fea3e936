"""GET /profiles/{order_id}: the profile of an order, without its secrets."""

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

_PROFILE = """
SELECT p.order_id, p.order_number, p.storefront, p.operator, p.profile_type, p.state, p.iccid, p.statuses, p.reason,
       p.paid_at, p.deadline, p.settled_at, p.withdrawn_at,
       p.attempts + COALESCE(w.attempts, 0) AS attempts, w.state AS work_state, w.due_at AS next_attempt_at,
       EXISTS (SELECT 1 FROM stock_profiles s WHERE s.order_id = p.order_id) AS from_stock
FROM profiles p LEFT JOIN work w ON w.kind = ANY(CAST(:kinds AS text[])) AND w.key = CAST(p.order_id AS text)
WHERE p.order_id = :order_id
"""
_LEFT = """
SELECT operator, profile_type, iccid, state, attempts, statuses, reason, left_at, withdrawn_at
FROM profile_orders WHERE order_id = :order_id ORDER BY left_at
"""

routes = APIRouter(tags=["profiles"])


class AttemptView(BaseModel):
    """An operator that was tried before. state: waiting | refused | abandoned (withdrawn since `withdrawn_at`)."""

    operator: str
    profile_type: str
    iccid: str | None
    state: str
    attempts: int
    statuses: list[OperatorStatus]
    reason: str | None
    left_at: datetime
    withdrawn_at: datetime | None


class ProfileView(BaseModel):
    """A profile without its secrets. `work_state`: why an order still waits; `left`: operators tried before."""

    order_id: UUID
    order_number: str
    storefront: str
    operator: str
    profile_type: str
    state: str
    iccid: str | None
    attempts: int
    statuses: list[OperatorStatus]
    reason: str | None
    paid_at: datetime
    deadline: datetime
    settled_at: datetime | None
    withdrawn_at: datetime | None
    work_state: str | None
    next_attempt_at: datetime | None
    from_stock: bool
    left: list[AttemptView]


@routes.get("/profiles/{order_id}", dependencies=[agent])
async def profile(order_id: UUID, database: ServiceDatabase, operators: OperatorsDependency) -> ProfileView:
    """The profile of an order: made, on its way, or failed, and why."""
    kinds = [operators.kind("provision", name) for name in operators.names]
    async with database.reading() as tx:
        row: Any = (await tx.execute(_PROFILE, order_id=order_id, kinds=kinds)).one_or_none()
        left = (await tx.execute(_LEFT, order_id=order_id)).mappings() if row else []
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No paid order of this id has arrived here.")
    return ProfileView.model_validate(row._asdict() | {"left": left})
