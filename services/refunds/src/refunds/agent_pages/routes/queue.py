"""The queue of open cases, the queue of claims, finding an order, and what supervisors oversee."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from refunds.agent_pages.rendering import page
from refunds.cases import CaseService
from refunds.cases.models.case import CaseState, Outcome, case_state
from refunds.cases.store.cases import FAILED, Audit, case_of
from refunds.claims.store import answer_claim, open_claims
from shared.database import Database
from shared.kernel.problems import Problem
from shared.signin.rendering import redirect
from shared.signin.sessions import Session, Sessions
from shared.values.opaque import Named
from shared.values.text import Line

_MOST = 300
#: States in which nothing goes on until somebody of us acts.
OURS = frozenset({CaseState.SUPPORT, CaseState.RESTORATION, CaseState.APPEALED, CaseState.NEEDS_PERSON})
_QUEUE = f"""
SELECT c.*, f.order_number, f.storefront, r.settled_at AS out_settled, {FAILED} AS out_failed,
  r.failure AS out_failure
FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE c.closed_at IS NULL ORDER BY c.due_at NULLS LAST, c.requested_at LIMIT {_MOST}
"""
_ORDER_CASES = f"""
SELECT c.*, f.order_number, f.storefront, r.settled_at AS out_settled, {FAILED} AS out_failed,
  r.failure AS out_failure
FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE f.order_number = :number ORDER BY c.requested_at DESC
"""
_ORDER = "SELECT order_number, storefront FROM order_facts WHERE order_number = :number"
_OVERSIGHT = """
SELECT a.at, a.who, a.what, a.detail, a.case_id, f.order_number FROM audit a LEFT JOIN order_facts f USING (order_id)
WHERE a.what IN ('deadline_missed', 'delivery_overdue', 'found', 'appealed', 'refund_failed', 'signed_in',
                 'account_disabled', 'refund_retry_requested', 'hand_payment_recorded', 'hand_payment_confirmed',
                 'hand_payment_rejected', 'action_refused')
ORDER BY a.at DESC LIMIT 200
"""
_ACCOUNTS = "SELECT name, role, created_at, disabled_at FROM accounts ORDER BY name"
_DISABLE = "UPDATE accounts SET disabled_at = :now WHERE name = :name AND disabled_at IS NULL RETURNING name"
_VIEWS = {"all": "All open", "ours": "Waiting for us", "overdue": "Overdue"}


def router(database: Database, case_service: CaseService, sessions: Sessions) -> APIRouter:
    """The lists."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/agents")
    async def home() -> Response:
        return redirect("/agents/queue")

    @routes.get("/agents/queue")
    async def queue(request: Request, show: Named = "all") -> Response:
        session = await sessions.of(request)
        async with database.reading() as tx:
            now = tx.now
            rows = [_line(row, case_service) for row in await tx.execute(_QUEUE)]
        wanted = {
            "all": rows,
            "ours": [row for row in rows if row["state"] in OURS],
            "overdue": [row for row in rows if row["due_at"] is not None and row["due_at"] <= now],
        }
        chosen = show if show in wanted else "all"
        views = [(name, label, len(wanted[name])) for name, label in _VIEWS.items()]
        return page("queue", session=session, now=now, rows=wanted[chosen], views=views, chosen=chosen)

    @routes.get("/agents/orders")
    async def orders(request: Request, number: Annotated[str, Line(40, 0), Query()] = "") -> Response:
        session = await sessions.of(request)
        async with database.reading() as tx:
            now = tx.now
            order = (await tx.execute(_ORDER, number=number.strip())).first()
            rows = [_line(row, case_service) for row in await tx.execute(_ORDER_CASES, number=number.strip())]
        if len(rows) == 1:
            return redirect(f"/agents/cases/{rows[0]['case_id']}")
        return page("order", session=session, now=now, rows=rows, order=order, number=number)

    @routes.get("/agents/claims")
    async def claims(request: Request) -> Response:
        session = await sessions.of(request)
        async with database.reading() as tx:
            now = tx.now
            rows = [(row, case_service.policies.calendar(row.storefront)) for row in await open_claims(tx)]
        return page("claims", session=session, now=now, rows=rows)

    @routes.post("/agents/claims/{claim_id}/answered")
    async def answered(claim_id: UUID, request: Request, csrf: Annotated[Named, Form()]) -> Response:
        session = await sessions.acting(request, csrf)
        async with database.transaction() as tx:
            await answer_claim(tx, claim_id, session.who)
        return redirect("/agents/claims")

    @routes.get("/agents/oversight")
    async def oversight(request: Request) -> Response:
        session = _supervisor(await sessions.of(request))
        async with database.reading() as tx:
            now = tx.now
            entries = (await tx.execute(_OVERSIGHT)).all()
            accounts = (await tx.execute(_ACCOUNTS)).all()
        return page("oversight", session=session, now=now, entries=entries, accounts=accounts)

    @routes.post("/agents/oversight/disable")
    async def disable(
        request: Request, csrf: Annotated[Named, Form()], name: Annotated[str, Line(200, 0), Form()]
    ) -> Response:
        session = _supervisor(await sessions.acting(request, csrf))
        async with database.transaction() as tx:
            if (await tx.execute(_DISABLE, name=name, now=tx.now)).first() is not None:
                await tx.execute("DELETE FROM sessions WHERE who = :who", who=f"agent:{name}")
                audit = Audit(tx, session.who)
                audit.add("account_disabled", account=name)
                await audit.write()
        return redirect("/agents/oversight")

    return routes


def _supervisor(session: Session) -> Session:
    """Raises Problem (403)."""
    if session.role != "supervisor":
        raise Problem(HTTPStatus.FORBIDDEN, "for-supervisors", "This page is for supervisors.")
    return session


def _line(row: Any, case_service: CaseService) -> dict[str, Any]:
    case = case_of(row)
    due: datetime | None = case.due_at
    return {
        "case_id": case.case_id,
        "order_number": row.order_number,
        "storefront": row.storefront,
        "asked": case.reason or case.ground,
        "channel": case.channel,
        "state": case_state(case, Outcome(row.out_settled, row.out_failed, row.out_failure)),
        "requested_at": case.received_at or case.requested_at,
        "due_at": due,
        "due_kind": case.due_kind,
        "calendar": case_service.policies.calendar(row.storefront),
        "appeal_of": case.appeal_of,
    }
