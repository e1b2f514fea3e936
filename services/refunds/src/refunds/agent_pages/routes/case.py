"""One case: what is known, what the policy makes of it, what may be done, and who did what."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from refunds.agent_pages.rendering import page
from refunds.agent_pages.routes import refused_refund as refused
from refunds.agent_pages.rules.actions import allowed, finding
from refunds.agent_pages.rules.fact_sheet import fact_sheet
from refunds.agent_pages.rules.reasoning import Step, steps
from refunds.callers import Caller
from refunds.cases import CaseService
from refunds.cases.models.case import Case, awaits_appeal, case_state
from refunds.cases.models.errors import NotAllowedError
from refunds.cases.models.file import CaseFile
from refunds.cases.rules.facts import facts_of
from refunds.cases.store.cases import load
from refunds.problems import order_of_case
from refunds.refused_refunds import RefusedRefunds
from shared.database import Database, Tx
from shared.signin.rendering import redirect
from shared.signin.sessions import Session, Sessions
from shared.values.opaque import Named
from shared.values.text import Line, Lines

_NOTES = "SELECT at, who, kind, text FROM notes WHERE case_id = :case ORDER BY at, note_id"
_AUDIT = "SELECT at, who, what, detail FROM audit WHERE case_id = :case ORDER BY at, entry_id"
_DECISIONS = """
SELECT decision_id, decided_at, decided_by, verdict, policy, facts, answer FROM decisions
WHERE case_id = :case ORDER BY decided_at DESC, decision_id DESC
"""
_EVERYBODY = Caller("agent", None)


def router(database: Database, case_service: CaseService, sessions: Sessions, refunds: RefusedRefunds) -> APIRouter:
    """A case and its forms."""
    routes = APIRouter(include_in_schema=False)

    async def shown(session: Session, case_id: UUID, wrong: str | None = None, status: int = 200) -> Response:
        async with database.reading() as tx:
            order = await order_of_case(tx, case_id, _EVERYBODY)
            file = (await load(tx, [order.order_id]))[order.order_id]
            case = next(one for one in file.cases if one.case_id == case_id)
            records = await _records(tx, case_id) | await refused.panel(tx, case_id, session.who)
            now = tx.now
        calendar = case_service.policies.calendar(order.storefront)
        return page(
            "case",
            status,
            session=session,
            now=now,
            calendar=calendar,
            zone=calendar.zone,
            order=order,
            file=file,
            case=case,
            state=case_state(case, file.outcome(case)),
            appealed=awaits_appeal(case),
            mine=awaits_appeal(case) and case.appeal_of == session.who,
            facts=fact_sheet(file, case),
            steps=_reasoning(file, case, now),
            actions=allowed(file, case, case_service.policies, now, who=session.who),
            wrong=wrong,
            **records,
        )

    def _reasoning(file: CaseFile, case: Case, now: Any) -> list[Step]:
        row = file.order.row
        policy = None if row.paid_at is None else case_service.policies.policy(row.storefront, row.paid_at)
        if policy is None or case.charge_id is not None:
            return []
        facts = case_service.policies.promised(facts_of(file.order, case, now))
        decision = case_service.policies.answer(facts)
        return [] if decision is None else steps(facts, policy, decision)

    @routes.get("/agents/cases/{case_id}")
    async def show(case_id: UUID, request: Request) -> Response:
        return await shown(await sessions.of(request), case_id)

    @routes.post("/agents/cases/{case_id}/decide")
    async def decide(
        case_id: UUID,
        request: Request,
        csrf: Annotated[Named, Form()],
        action: Annotated[str, Line(40, 0), Form()],
        rule: Annotated[str, Line(500, 0), Form()] = "",
    ) -> Response:
        session = await sessions.acting(request, csrf)
        found = finding(action, rule.strip())
        if found is None:
            return await shown(session, case_id, "Name the law or rule first.", 422)
        try:
            async with database.transaction() as tx:
                order = await order_of_case(tx, case_id, _EVERYBODY)
                await case_service.find(tx, order.order_id, session.who, found, case_id, request.state.trace)
        except NotAllowedError as error:
            return await shown(session, case_id, str(error), 409)
        return redirect(f"/agents/cases/{case_id}")

    @routes.post("/agents/cases/{case_id}/notes")
    async def note(
        case_id: UUID,
        request: Request,
        csrf: Annotated[Named, Form()],
        text: Annotated[str, Lines(4000, 0), Form()] = "",
    ) -> Response:
        session = await sessions.acting(request, csrf)
        if not text.strip():
            return await shown(session, case_id, "Write something first.", 422)
        async with database.transaction() as tx:
            order = await order_of_case(tx, case_id, _EVERYBODY)
            await case_service.note(tx, order.order_id, case_id, session.who, text.strip())
        return redirect(f"/agents/cases/{case_id}#notes")

    routes.include_router(refused.router(database, refunds, sessions, shown))
    return routes


async def _records(tx: Tx, case_id: UUID) -> dict[str, Any]:
    return {
        "notes": (await tx.execute(_NOTES, case=case_id)).all(),
        "trail": (await tx.execute(_AUDIT, case=case_id)).all(),
        "decisions": (await tx.execute(_DECISIONS, case=case_id)).all(),
    }
