"""HTTP for agents: the receipts of an order, and one more try for a receipt that waits for a person."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from shared.database import Database
from shared.kernel.problems import Problem

_OF_ORDER = """
SELECT r.receipt_id, r.kind, r.refund_id, r.number, r.amount_minor, r.currency, r.cashbox, r.check_number, r.ticket_url,
  r.born_at, r.issued_at, w.state, w.attempts, w.last_error
FROM payment_orders o
LEFT JOIN receipts r ON r.order_id = o.order_id
LEFT JOIN work w ON w.kind = 'receipt:' || r.storefront AND w.key = r.receipt_id::text
WHERE o.order_id = :order_id ORDER BY r.born_at, r.kind
"""
#: `unknown`, because the register may have been asked: its history is looked at first.
_AGAIN = """
UPDATE work SET state = 'unknown', due_at = :now
WHERE key = :key AND kind LIKE 'receipt:%' AND state = 'parked' RETURNING id
"""


def receipt_routes(routes: APIRouter, database: Database) -> None:
    """Add `GET /orders/{order_id}/receipts` and `POST /receipts/{receipt_id}/retry`."""

    @routes.get("/orders/{order_id}/receipts")
    async def order_receipts(order_id: UUID) -> JSONResponse:
        """Every fiscal receipt that is, or is to be. `waiting` says what for; `parked`: for a person."""
        async with database.reading() as tx:
            rows = (await tx.execute(_OF_ORDER, order_id=order_id)).all()
        if not rows:
            raise Problem(HTTPStatus.NOT_FOUND, "order-not-known", "No order has this id here.")
        shown = [_receipt(row) for row in rows if row.receipt_id is not None]
        return JSONResponse({"order_id": str(order_id), "receipts": shown})

    @routes.post("/receipts/{receipt_id}/retry", status_code=HTTPStatus.ACCEPTED)
    async def retry(receipt_id: UUID) -> JSONResponse:
        """Ask the cash register again for a receipt that waits for a person, once the reason is out of the way."""
        async with database.transaction() as tx:
            if (await tx.execute(_AGAIN, key=str(receipt_id), now=tx.now)).scalar() is None:
                detail = "This receipt does not wait for a person: it is under way, issued, or not known here."
                raise Problem(HTTPStatus.CONFLICT, "receipt-not-waiting", detail)
        return JSONResponse({"receipt_id": str(receipt_id), "state": "waiting"}, HTTPStatus.ACCEPTED)


def _receipt(row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "receipt_id": str(row.receipt_id),
        "kind": row.kind,
        "refund_id": row.refund_id and str(row.refund_id),
        "number": row.number,
        "amount": {"amount": row.amount_minor, "currency": row.currency},
        "born_at": row.born_at.isoformat(),
        "state": "issued" if row.issued_at else "parked" if row.state == "parked" else "waiting",
    }
    if row.issued_at:
        issued = {"cashbox": row.cashbox, "check_number": row.check_number, "ticket_url": row.ticket_url}
        return shown | issued | {"issued_at": row.issued_at.isoformat()}
    return shown | {"attempts": row.attempts or 0, "why": row.last_error or ""}
