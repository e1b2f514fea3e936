"""HTTP for agents: refunds that the bank refused, and one refund with everything that was tried. Read only.

Actions come as events from refunds, where agents see the whole case.
"""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from payments.http_context import agents_only
from payments.refused_refunds import store
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

routes = APIRouter(tags=["agents"], dependencies=[agents_only])


@routes.get("/refunds/refused", name="refused")
async def list_refused(database: ServiceDatabase) -> JSONResponse:
    """Refunds that the bank refused and nobody has settled yet, the oldest first; at most 300."""
    async with database.reading() as tx:
        rows = await store.refused(tx)
    return JSONResponse({"refunds": [_refund(row) for row in rows]})


@routes.get("/refunds/{refund_id}", name="refund")
async def read_refund(refund_id: UUID, database: ServiceDatabase) -> JSONResponse:
    """One refund: its state, attempts, payments by hand and actions."""
    async with database.reading() as tx:
        row = await store.refund(tx, refund_id)
        payments = await store.payments_of(tx, refund_id)
        actions = await store.actions_on(tx, refund_id)
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "refund-not-known", "No refund has this id here.")
    shown = _refund(row) | {
        "payments_by_hand": [_payment(payment) for payment in payments],
        "actions": [
            {
                "action_id": str(action.action_id),
                "kind": action.kind,
                "answered_at": action.answered_at.isoformat(),
                "refusal": action.refusal,
            }
            for action in actions
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
