"""HTTP for agents: refunds that the bank refused, and one refund with everything that was tried. Read only.

Actions come as events from refunds, where agents see the whole case.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from shared.database import Database
from shared.kernel.problems import Problem

_MOST = 300
_REFUSED = f"""
SELECT * FROM refunds WHERE state = 'failed' ORDER BY refused_at, refund_id LIMIT {_MOST}
"""
_PAYMENTS = "SELECT * FROM hand_payments WHERE refund_id = :refund_id ORDER BY recorded_at, payment_id"
_ACTIONS = "SELECT * FROM refund_actions WHERE refund_id = :refund_id ORDER BY answered_at, action_id"


def hand_payment_routes(routes: APIRouter, database: Database) -> None:
    """Add them to the agents' router."""

    @routes.get("/refunds/refused")
    async def refused() -> JSONResponse:
        """Refunds that the bank refused and nobody has settled yet, the oldest first; at most 300."""
        async with database.reading() as tx:
            rows = (await tx.execute(_REFUSED)).all()
        return JSONResponse({"refunds": [_refund(row) for row in rows]})

    @routes.get("/refunds/{refund_id}")
    async def refund(refund_id: UUID) -> JSONResponse:
        """One refund: its state, attempts, payments by hand and actions."""
        async with database.reading() as tx:
            row = (await tx.execute("SELECT * FROM refunds WHERE refund_id = :id", id=refund_id)).one_or_none()
            payments = (await tx.execute(_PAYMENTS, refund_id=refund_id)).all()
            actions = (await tx.execute(_ACTIONS, refund_id=refund_id)).all()
        if row is None:
            raise Problem(HTTPStatus.NOT_FOUND, "refund-not-known", "No refund has this id here.")
        shown = _refund(row) | {
            "payments_by_hand": [_payment(one) for one in payments],
            "actions": [
                {
                    "action_id": str(one.action_id),
                    "kind": one.kind,
                    "answered_at": one.answered_at.isoformat(),
                    "refusal": one.refusal,
                }
                for one in actions
            ],
        }
        return JSONResponse(shown)


def _refund(row: Any) -> dict[str, Any]:
    return {
        "refund_id": str(row.refund_id),
        "order_id": str(row.order_id),
        "order_number": row.order_number,
        "storefront": row.storefront,
        "state": row.state,
        "amount": row.amount_minor,
        "currency": row.currency,
        "paid_or_reserved_by_hand": row.hand_minor,
        "attempt": row.attempt,
        "failure": row.failure,
        "bank_code": row.bank_code,
        "refused_at": row.refused_at and row.refused_at.isoformat(),
    }


def _payment(row: Any) -> dict[str, Any]:
    return {
        "payment_id": str(row.payment_id),
        "amount": row.amount_minor,
        "currency": row.currency,
        "way": row.way,
        "reference": row.reference,
        "state": row.state,
        "recorded_at": row.recorded_at.isoformat(),
        "decided_at": row.decided_at and row.decided_at.isoformat(),
        "refusal": row.refusal,
    }
