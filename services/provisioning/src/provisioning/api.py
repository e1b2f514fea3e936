"""What agents and operations may see of a profile: everything but the code."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel

from shared.contracts import OperatorStatus
from shared.database import Database
from shared.kernel.auth import StorefrontKeys
from shared.kernel.problems import Problem

_PROFILE = """
SELECT p.order_id, p.order_number, p.storefront, p.operator, p.profile_type, p.state, p.iccid, p.statuses, p.reason,
       p.paid_at, p.deadline, p.settled_at, p.withdrawn_at,
       COALESCE(w.attempts, p.attempts) AS attempts, w.state AS work_state, w.due_at AS next_attempt_at
FROM profiles p LEFT JOIN work w ON w.kind = 'provision' AND w.key = CAST(p.order_id AS text)
WHERE p.order_id = :order_id
"""


class ProfileView(BaseModel):
    """A profile without its secrets. `work_state` tells why an order still waits."""

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


def router(database: Database, agents: StorefrontKeys) -> APIRouter:
    """`GET /profiles/{order_id}`."""
    routes = APIRouter(tags=["profiles"])

    def agent(authorization: Annotated[str | None, Header()] = None) -> str:
        try:
            return agents.storefront(authorization)
        except Problem as problem:
            detail = "Send your agent key as `Authorization: Bearer <key>`."
            raise Problem(problem.status, "unknown-agent-key", detail, headers=problem.headers) from None

    @routes.get("/profiles/{order_id}", dependencies=[Depends(agent)])
    async def profile(order_id: UUID) -> ProfileView:
        async with database.reading() as tx:
            row: Any = (await tx.execute(_PROFILE, order_id=order_id)).one_or_none()
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "No paid order of this id has arrived here.")
        return ProfileView.model_validate(row._asdict())

    return routes
