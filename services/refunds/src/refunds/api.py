"""HTTP: cases, for agents."""

from datetime import date, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel

from refunds.domain import CaseState, case_state
from shared.contracts import Explanation, Ground, Money
from shared.database import Database
from shared.kernel.auth import StorefrontKeys
from shared.kernel.problems import Problem

_FACTS = "SELECT * FROM order_facts WHERE order_id = :order_id"
_CASES = """
SELECT c.*, o.settled_at, o.failed_at, o.failure
FROM cases c LEFT JOIN refund_outcomes o ON o.refund_id = c.refund_id
WHERE c.order_id = :order_id ORDER BY c.requested_at, c.case_id
"""


class Facts(BaseModel):
    """What is known of the order; null: not told."""

    paid: Money | None
    paid_at: datetime | None
    generated_at: datetime | None
    failed_at: datetime | None
    failure: str | None
    failure_statuses: list[dict[str, str]] | None
    delivered_at: datetime | None
    delivery_channel: str | None
    delivery_failed_at: datetime | None
    delivery_failure: str | None
    settled_at: datetime | None
    refund_failed_at: datetime | None


class DecisionView(BaseModel):
    """What was decided, for which clauses, and by when the money is to be there."""

    verdict: str
    decided_at: datetime
    refund_id: UUID
    amount: Money
    policy: str
    grounds: list[Ground]
    explanation: Explanation
    pay_by: datetime | None
    credited_by: date | None


class CaseView(BaseModel):
    """A case; without a decision it waits for a person."""

    case_id: UUID
    ground: str
    origin: str
    state: CaseState
    requested_at: datetime
    decision: DecisionView | None
    settled_at: datetime | None
    refund_failed_at: datetime | None
    refund_failure: str | None


class OrderCases(BaseModel):
    """An order's facts and its cases, oldest first."""

    order_id: UUID
    order_number: str
    storefront: str
    facts: Facts
    cases: list[CaseView]


def case_router(database: Database, keys: StorefrontKeys) -> APIRouter:
    """`GET /cases/{order_id}` for agents."""
    routes = APIRouter(tags=["cases"])

    @routes.get("/cases/{order_id}")
    async def show(order_id: UUID, request: Request) -> OrderCases:
        """The cases of an order with facts, decision, grounds and state."""
        _agent(keys, request)
        async with database.reading() as tx:
            order = (await tx.execute(_FACTS, order_id=order_id)).one_or_none()
            if order is None:
                raise Problem(HTTPStatus.NOT_FOUND, "unknown-order", "Nothing is known of an order of this id.")
            found = (await tx.execute(_CASES, order_id=order_id)).all()
        return OrderCases(
            order_id=order_id,
            order_number=order.order_number,
            storefront=order.storefront,
            facts=_facts(order),
            cases=[_case(row) for row in found],
        )

    return routes


def _agent(keys: StorefrontKeys, request: Request) -> str:
    """The agent who asks. Raises Problem (401)."""
    try:
        return keys.storefront(request.headers.get("authorization"))
    except Problem:
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "unknown-api-key",
            "Send your agent key as `Authorization: Bearer <key>`.",
            headers={"WWW-Authenticate": "Bearer"},
        ) from None


def _facts(order: Any) -> Facts:
    values = order._asdict()
    paid = None if order.paid_minor is None else Money(amount=order.paid_minor, currency=order.currency)
    return Facts(paid=paid, **{name: values[name] for name in Facts.model_fields if name != "paid"})


def _case(row: Any) -> CaseView:
    decision = None
    if row.verdict is not None:
        decision = DecisionView(
            verdict=row.verdict,
            decided_at=row.decided_at,
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            policy=row.policy,
            grounds=row.grounds,
            explanation=row.explanation,
            pay_by=row.pay_by,
            credited_by=row.credited_by,
        )
    return CaseView(
        case_id=row.case_id,
        ground=row.ground,
        origin=row.origin,
        state=case_state(row.verdict, row.settled_at, row.failed_at),
        requested_at=row.requested_at,
        decision=decision,
        settled_at=row.settled_at,
        refund_failed_at=row.failed_at,
        refund_failure=row.failure,
    )
