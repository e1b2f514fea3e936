"""The page of one case, and its forms."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from refunds.agent_pages.case_page import case_page
from refunds.agent_pages.dependencies import Sending, SignedIn
from refunds.agent_pages.rules.actions import finding
from refunds.cases import CaseServiceDep, NotAllowedError, find_order_of_case
from refunds.policy.dependencies import PoliciesDep
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.signin.rendering import redirect
from shared.values.text import Line, Lines

routes = APIRouter()


@routes.get("/agents/cases/{case_id}")
async def show(case_id: UUID, session: SignedIn, database: ServiceDatabase, policies: PoliciesDep) -> Response:
    return await case_page(database, policies, session, case_id)


@routes.post("/agents/cases/{case_id}/decide")
async def decide(
    case_id: UUID,
    session: Sending,
    database: ServiceDatabase,
    case_service: CaseServiceDep,
    trace: RequestTrace,
    action: Annotated[str, Line(40, 0), Form()],
    rule: Annotated[str, Line(500, 0), Form()] = "",
) -> Response:
    found = finding(action, rule.strip())
    policies = case_service.policies
    if found is None:
        return await case_page(database, policies, session, case_id, wrong="Name the law or rule first.", status=422)
    try:
        async with database.transaction() as tx:
            order = await find_order_of_case(tx, case_id)
            await case_service.find(tx, order.order_id, session.who, found, case_id, trace)
    except NotAllowedError as error:
        return await case_page(database, policies, session, case_id, wrong=str(error), status=409)
    return redirect(f"/agents/cases/{case_id}")


@routes.post("/agents/cases/{case_id}/notes")
async def note(
    case_id: UUID,
    session: Sending,
    database: ServiceDatabase,
    case_service: CaseServiceDep,
    text: Annotated[str, Lines(4000, 0), Form()] = "",
) -> Response:
    if not text.strip():
        policies = case_service.policies
        return await case_page(database, policies, session, case_id, wrong="Write something first.", status=422)
    async with database.transaction() as tx:
        order = await find_order_of_case(tx, case_id)
        await case_service.note(tx, order.order_id, case_id, session.who, text.strip())
    return redirect(f"/agents/cases/{case_id}#notes")
