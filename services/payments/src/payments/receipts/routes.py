"""HTTP for agents: the receipts of an order, and a retry of a receipt that waits for a person."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from payments.http_context import agents_only
from payments.receipts import store
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

routes = APIRouter(tags=["agents"], dependencies=[agents_only])


@routes.get("/orders/{order_id}/receipts")
async def order_receipts(order_id: UUID, database: ServiceDatabase) -> JSONResponse:
    """Every fiscal receipt that is, or is to be. `waiting` says what for; `parked`: for a person."""
    async with database.reading() as tx:
        rows = await store.of_order(tx, order_id)
    if not rows:
        raise Problem(HTTPStatus.NOT_FOUND, "order-not-known", "No order has this id here.")
    shown = [_receipt(row) for row in rows if row.receipt_id is not None]
    return JSONResponse({"order_id": str(order_id), "receipts": shown})


@routes.post("/receipts/{receipt_id}/retry", status_code=HTTPStatus.ACCEPTED, name="retry")
async def retry_receipt(receipt_id: UUID, database: ServiceDatabase) -> JSONResponse:
    """Ask the cash register again for a receipt that waits for a person, after the cause was removed."""
    async with database.transaction() as tx:
        if not await store.retry_parked(tx, receipt_id):
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
