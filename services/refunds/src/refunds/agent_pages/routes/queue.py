"""The queue of open cases, and oversight for supervisors."""

from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import SendingSupervisor, SignedIn, ViewingSupervisor
from refunds.agent_pages.lines import line
from refunds.agent_pages.rendering import page
from refunds.cases import CaseState
from refunds.policy.dependencies import PoliciesDep
from refunds.representatives import waiting
from shared.kernel.dependencies import ServiceDatabase
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

#: States in which nothing happens until one of us acts.
_WAITING_FOR_US = frozenset({CaseState.SUPPORT, CaseState.RESTORATION, CaseState.APPEALED, CaseState.NEEDS_PERSON})
_VIEWS = {"all": "All open", "ours": "Waiting for us", "mine": "Mine", "unread": "Unread", "overdue": "Overdue"}

routes = APIRouter()


@routes.get("/agents")
async def home() -> Response:
    return redirect("/agents/queue")


@routes.get("/agents/queue")
async def queue(session: SignedIn, database: ServiceDatabase, policies: PoliciesDep, show: Named = "all") -> Response:
    async with database.reading() as tx:
        now = tx.now
        rows = [line(row, policies) for row in await store.open_cases(tx)]
    by_view = {
        "all": rows,
        "ours": [row for row in rows if row["state"] in _WAITING_FOR_US],
        "mine": [row for row in rows if row["assignee"] == session.who],
        "unread": [row for row in rows if row["unread"]],
        "overdue": [row for row in rows if row["due_at"] is not None and row["due_at"] <= now],
    }
    chosen = show if show in by_view else "all"
    views = [(name, label, len(by_view[name])) for name, label in _VIEWS.items()]
    return page("queue", session=session, now=now, rows=by_view[chosen], views=views, chosen=chosen)


@routes.get("/agents/oversight")
async def oversight(session: ViewingSupervisor, database: ServiceDatabase) -> Response:
    async with database.reading() as tx:
        now = tx.now
        entries, accounts = await store.audit_entries(tx), await store.accounts(tx)
        represented = await waiting(tx)
    return page("oversight", session=session, now=now, entries=entries, accounts=accounts, represented=represented)


@routes.post("/agents/oversight/disable")
async def disable(
    session: SendingSupervisor,
    database: ServiceDatabase,
    name: Annotated[str, Line(200, 0), Form()],
) -> Response:
    async with database.transaction() as tx:
        await store.disable_account(tx, name, session.who, tx.now)
    return redirect("/agents/oversight")
