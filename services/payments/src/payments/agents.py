"""HTTP for agents: the ledger of an order, its attempts, the comparison of a day with the bank, findings on refunds."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from payments.attempts.rules.failure_reasons import advice, sentences
from payments.ledger import store as ledger
from payments.receipts.routes import receipt_routes
from payments.reconciliation import store as reconciliation
from payments.refunds import store as returns
from payments.refused_refunds import hand_payment_routes
from shared.database import Database, Tx
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.values.moment import Day

_ATTEMPTS = """
SELECT invoice_id, number, state, reason_code, transaction_id, opened_at, handed_out_at, settled_at FROM attempts
WHERE order_id = :order_id ORDER BY number
"""


class Finding(BaseModel):
    """What a person found out at the bank about a refund whose outcome nobody knew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: bool


def agent_router(database: Database, keys: ApiKeys) -> APIRouter:
    """All of it behind `Authorization: Bearer <agent key>`."""

    def agent(authorization: Annotated[str | None, Header()] = None) -> None:
        keys.holder(authorization)

    routes = APIRouter(tags=["agents"], dependencies=[Depends(agent)])
    _order_routes(routes, database)
    _bank_routes(routes, database)
    receipt_routes(routes, database)
    hand_payment_routes(routes, database)
    return routes


def _order_routes(routes: APIRouter, database: Database) -> None:
    @routes.get("/orders/{order_id}/ledger")
    async def order_ledger(order_id: UUID) -> JSONResponse:
        """Every posting of the order and the balance of each account; minor units, debits positive."""
        async with database.reading() as tx:
            found = await ledger.of_order(tx, order_id)
        if found is None:
            raise _no_order()
        return JSONResponse(found)

    @routes.get("/orders/{order_id}/attempts")
    async def order_attempts(order_id: UUID) -> JSONResponse:
        """Every attempt to pay, and for failed ones why: the buyer's sentences, and what an agent should know."""
        async with database.reading() as tx:
            rows = (await tx.execute(_ATTEMPTS, order_id=order_id)).all()
        if not rows:
            raise _no_order()
        return JSONResponse({"order_id": str(order_id), "attempts": [_attempt(row) for row in rows]})

    @routes.post("/refunds/{refund_id}/finding")
    async def find(refund_id: UUID, finding: Finding) -> JSONResponse:
        """For a refund that waits for a person: `made` settles it, otherwise the bank is asked to make it."""
        async with database.transaction() as tx:
            state = await _find(tx, refund_id, made=finding.made)
        return JSONResponse({"refund_id": str(refund_id), "state": state})


def _bank_routes(routes: APIRouter, database: Database) -> None:
    @routes.get("/reconciliations/{day}")
    async def read_reconciliation(day: Day) -> JSONResponse:
        """How far the comparison of that day (UTC) is, and each difference it found."""
        async with database.reading() as tx:
            found = await reconciliation.of_day(tx, day)
        if found is None:
            detail = "That day has not been compared with the bank. POST here starts it."
            raise Problem(HTTPStatus.NOT_FOUND, "not-reconciled", detail)
        return JSONResponse(found)

    @routes.post("/reconciliations/{day}", status_code=HTTPStatus.ACCEPTED)
    async def start_reconciliation(day: Day) -> JSONResponse:
        """Compare that day (again); GET tells when it is over."""
        async with database.transaction() as tx:
            if day > tx.now.date():
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "day-to-come", "That day has not been yet.")
            if not await reconciliation.start(tx, day, again=True):
                raise Problem(HTTPStatus.CONFLICT, "reconciliation-running", "That day is being compared just now.")
        return JSONResponse({"day": day.isoformat(), "state": "running"}, HTTPStatus.ACCEPTED)


def _no_order() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "order-not-known", "No order has this id here.")


async def _find(tx: Tx, refund_id: UUID, *, made: bool) -> str:
    found = await returns.take_parked(tx, refund_id, for_good=made)
    if found is None:
        detail = "This refund does not wait for a person: it is under way, over, or not known here."
        raise Problem(HTTPStatus.CONFLICT, "refund-not-waiting", detail)
    if made:
        await returns.record_settled(tx, [refund_id], {refund_id: found.trace})
        return "settled"
    return "calling"


def _attempt(row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "invoice_id": str(row.invoice_id),
        "number": row.number,
        "state": row.state,
        "transaction_id": row.transaction_id,
        "opened_at": row.opened_at.isoformat(),
        "handed_out_at": row.handed_out_at and row.handed_out_at.isoformat(),
        "settled_at": row.settled_at and row.settled_at.isoformat(),
    }
    if row.state == "failed":
        code = row.reason_code or 0
        shown |= {"reason_code": code, "buyer": sentences(code), "agent": advice(code)}
    return shown
