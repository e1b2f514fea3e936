"""The page of one case, and its forms."""

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.case_page import CasePagesDep
from refunds.agent_pages.dependencies import Sending, SignedIn
from refunds.agent_pages.rules.actions import finding
from refunds.cases import CaseServiceDep, NotAllowedError, find_order_of_case, lock
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.signin.rendering import redirect
from shared.values.count import LARGEST_INT, Count
from shared.values.moment import Moment
from shared.values.text import Line, Lines

_CHANGED = "Your button was not pressed: the case has changed since you opened it. Look at it again, then decide."

routes = APIRouter()


@routes.get("/agents/cases/{case_id}")
async def show(case_id: UUID, session: SignedIn, pages: CasePagesDep, template: UUID | None = None) -> Response:
    return await pages.show(session, case_id, template_id=template)


@routes.post("/agents/cases/{case_id}/decide")
async def decide(
    case_id: UUID,
    session: Sending,
    pages: CasePagesDep,
    case_service: CaseServiceDep,
    trace: RequestTrace,
    action: Annotated[str, Line(40, 0), Form()],
    seen: Annotated[Count, Form(le=LARGEST_INT)],
    rule: Annotated[str, Line(500, 0), Form()] = "",
) -> Response:
    """`seen`: how many audit entries the page showed, without notes: later ones may change what the button leads to."""
    found = finding(action, rule.strip())
    show_again = partial(pages.show, session, case_id, typed={"rule": rule})
    if found is None:
        return await show_again(wrong="Name the law or rule first.", status=422)
    try:
        async with pages.database.transaction() as tx:
            order = await find_order_of_case(tx, case_id)
            await lock(tx, [order.order_id])
            changes = await store.changes_since(tx, case_id, seen)
            if not changes:
                await case_service.find(tx, order.order_id, session.who, found, case_id, trace)
    except NotAllowedError as error:
        return await show_again(wrong=str(error), status=409)
    if changes:
        return await show_again(wrong=_CHANGED, changes=changes, status=409)
    return redirect(f"/agents/cases/{case_id}")


@routes.post("/agents/cases/{case_id}/notes")
async def note(
    case_id: UUID,
    session: Sending,
    pages: CasePagesDep,
    case_service: CaseServiceDep,
    text: Annotated[str, Lines(4000, 0), Form()] = "",
) -> Response:
    if not text.strip():
        return await pages.show(session, case_id, wrong="Write something first.", status=422)
    async with pages.database.transaction() as tx:
        order = await find_order_of_case(tx, case_id)
        await case_service.note(tx, order.order_id, case_id, session.who, text.strip())
    return redirect(f"/agents/cases/{case_id}#notes")


@routes.post("/agents/cases/{case_id}/assign")
async def assign(
    case_id: UUID,
    session: Sending,
    pages: CasePagesDep,
    to: Annotated[Literal["me", "nobody"], Form()],
    was: Annotated[str, Line(200, 0), Form()] = "",
) -> Response:
    """Take a case, or give it back. `was`: who worked on it when the page was opened."""
    async with pages.database.transaction() as tx:
        await find_order_of_case(tx, case_id)
        taken = await store.assign(
            tx, case_id, session.who, to=session.who if to == "me" else None, was=was.strip() or None
        )
    if not taken:
        wrong = "Somebody else has taken the case meanwhile, or has given it back."
        return await pages.show(session, case_id, wrong=wrong, status=409)
    return redirect(f"/agents/cases/{case_id}")


@routes.post("/agents/cases/{case_id}/read")
async def read(
    case_id: UUID, session: Sending, database: ServiceDatabase, until: Annotated[Moment, Form()]
) -> Response:
    """What the buyer wrote is read. `until`: when the page was opened, so that what came since stays new."""
    async with database.transaction() as tx:
        await find_order_of_case(tx, case_id)
        await store.mark_read(tx, case_id, session.who, until)
    return redirect(f"/agents/cases/{case_id}")
