"""The forms of a case with which agents write to the buyer: an answer, and a request for documents (RF 4.3)."""

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from refunds.agent_pages.case_page import CasePagesDep
from refunds.agent_pages.dependencies import Answers, Sending, Written
from refunds.cases import NotAllowedError, find_order_of_case
from shared.kernel.dependencies import RequestTrace
from shared.signin.rendering import redirect

routes = APIRouter()


@routes.post("/agents/cases/{case_id}/answer")
async def answer(
    case_id: UUID,
    session: Sending,
    pages: CasePagesDep,
    answers: Answers,
    trace: RequestTrace,
    form: Written,
) -> Response:
    if not form.text.strip():
        return await pages.show(session, case_id, wrong="Write something first.", status=422)
    try:
        async with pages.database.transaction() as tx:
            order = await find_order_of_case(tx, case_id)
            await answers.answer_case(tx, order, case_id, form.key, form.text.strip(), who=session.who, trace=trace)
    except NotAllowedError as error:
        return await pages.show(session, case_id, wrong=str(error), typed={"answer": form.text}, status=409)
    return redirect(f"/agents/cases/{case_id}#write")


@routes.post("/agents/cases/{case_id}/documents")
async def documents(
    case_id: UUID,
    session: Sending,
    pages: CasePagesDep,
    answers: Answers,
    trace: RequestTrace,
    form: Written,
) -> Response:
    typed = {"documents": form.text, "fields": form.fields}
    if not form.text.strip() or not form.fields:
        wrong = "Say what you ask for, and what is wrong with what was given."
        return await pages.show(session, case_id, wrong=wrong, typed=typed, status=422)
    try:
        async with pages.database.transaction() as tx:
            order = await find_order_of_case(tx, case_id)
            await answers.ask_documents(
                tx, order, case_id, form.key, form.fields, form.text.strip(), who=session.who, trace=trace
            )
    except NotAllowedError as error:
        return await pages.show(session, case_id, wrong=str(error), typed=typed, status=409)
    return redirect(f"/agents/cases/{case_id}")
