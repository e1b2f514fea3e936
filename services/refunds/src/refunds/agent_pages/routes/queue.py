"""The queue of open cases, the queue of claims, the search for an order, and oversight for supervisors."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Sending, SignedIn
from refunds.agent_pages.rendering import page
from refunds.cases import CaseState, case_of, case_state, refund_of
from refunds.claims import answer_claim, open_claims
from refunds.policy import OrderPolicies
from refunds.policy.dependencies import PoliciesDep
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.signin.rendering import redirect
from shared.signin.sessions import Session
from shared.values.opaque import Named
from shared.values.text import Line

#: States in which nothing happens until one of us acts.
_WAITING_FOR_US = frozenset({CaseState.SUPPORT, CaseState.RESTORATION, CaseState.APPEALED, CaseState.NEEDS_PERSON})
_VIEWS = {"all": "All open", "ours": "Waiting for us", "overdue": "Overdue"}

routes = APIRouter()


@routes.get("/agents")
async def home() -> Response:
    return redirect("/agents/queue")


@routes.get("/agents/queue")
async def queue(session: SignedIn, database: ServiceDatabase, policies: PoliciesDep, show: Named = "all") -> Response:
    async with database.reading() as tx:
        now = tx.now
        rows = [_line(row, policies) for row in await store.open_cases(tx)]
    by_view = {
        "all": rows,
        "ours": [row for row in rows if row["state"] in _WAITING_FOR_US],
        "overdue": [row for row in rows if row["due_at"] is not None and row["due_at"] <= now],
    }
    chosen = show if show in by_view else "all"
    views = [(name, label, len(by_view[name])) for name, label in _VIEWS.items()]
    return page("queue", session=session, now=now, rows=by_view[chosen], views=views, chosen=chosen)


@routes.get("/agents/orders")
async def orders(
    session: SignedIn,
    database: ServiceDatabase,
    policies: PoliciesDep,
    number: Annotated[str, Line(40, 0), Query()] = "",
) -> Response:
    async with database.reading() as tx:
        now = tx.now
        order = await store.order_by_number(tx, number.strip())
        rows = [_line(row, policies) for row in await store.cases_of_order(tx, number.strip())]
    if len(rows) == 1:
        return redirect(f"/agents/cases/{rows[0]['case_id']}")
    return page("order", session=session, now=now, rows=rows, order=order, number=number)


@routes.get("/agents/claims")
async def claims(session: SignedIn, database: ServiceDatabase, policies: PoliciesDep) -> Response:
    async with database.reading() as tx:
        now = tx.now
        rows = [(row, policies.calendar(row.storefront)) for row in await open_claims(tx)]
    return page("claims", session=session, now=now, rows=rows)


@routes.post("/agents/claims/{claim_id}/answered")
async def answered(claim_id: UUID, session: Sending, database: ServiceDatabase) -> Response:
    async with database.transaction() as tx:
        await answer_claim(tx, claim_id, session.who)
    return redirect("/agents/claims")


def _require_supervisor(session: Session) -> Session:
    if session.role != "supervisor":
        raise Problem(HTTPStatus.FORBIDDEN, "for-supervisors", "This page is for supervisors.")
    return session


def _viewing_supervisor(session: SignedIn) -> Session:
    return _require_supervisor(session)


def _sending_supervisor(session: Sending) -> Session:
    return _require_supervisor(session)


@routes.get("/agents/oversight")
async def oversight(session: Annotated[Session, Depends(_viewing_supervisor)], database: ServiceDatabase) -> Response:
    async with database.reading() as tx:
        now = tx.now
        entries, accounts = await store.audit_entries(tx), await store.accounts(tx)
    return page("oversight", session=session, now=now, entries=entries, accounts=accounts)


@routes.post("/agents/oversight/disable")
async def disable(
    session: Annotated[Session, Depends(_sending_supervisor)],
    database: ServiceDatabase,
    name: Annotated[str, Line(200, 0), Form()],
) -> Response:
    async with database.transaction() as tx:
        await store.disable_account(tx, name, session.who, tx.now)
    return redirect("/agents/oversight")


def _line(row: Any, policies: OrderPolicies) -> dict[str, Any]:
    """A line of the list of cases."""
    case = case_of(row)
    return {
        "case_id": case.case_id,
        "order_number": row.order_number,
        "storefront": row.storefront,
        "asked": case.reason or case.ground,
        "channel": case.channel,
        "state": case_state(case, refund_of(row)),
        "requested_at": case.received_at or case.requested_at,
        "due_at": case.due_at,
        "due_kind": case.due_kind,
        "calendar": policies.calendar(row.storefront),
        "appeal_of": case.appeal_of,
    }
