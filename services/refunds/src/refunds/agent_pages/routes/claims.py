"""The queue of claims, and one claim with its answer."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Answers, Sending, SignedIn, Written
from refunds.agent_pages.rendering import page
from refunds.cases import NotAllowedError
from refunds.claims import answer_claim, open_claims
from refunds.policy import OrderPolicies
from refunds.policy.dependencies import PoliciesDep
from refunds.support_answers import answers_about
from refunds.support_mail.dependencies import SupportMailDep
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.signin.rendering import redirect
from shared.signin.sessions import Session

routes = APIRouter()


@routes.get("/agents/claims")
async def claims(session: SignedIn, database: ServiceDatabase, policies: PoliciesDep) -> Response:
    async with database.reading() as tx:
        now = tx.now
        rows = [(row, policies.calendar(row.storefront)) for row in await open_claims(tx)]
    return page("claims", session=session, now=now, rows=rows)


@routes.get("/agents/claims/{claim_id}")
async def show(
    claim_id: UUID, session: SignedIn, database: ServiceDatabase, policies: PoliciesDep, mail: SupportMailDep
) -> Response:
    return await _claim_page(database, policies, mail, session, claim_id)


@routes.post("/agents/claims/{claim_id}/answer")
async def answer(
    claim_id: UUID,
    session: Sending,
    database: ServiceDatabase,
    policies: PoliciesDep,
    mail: SupportMailDep,
    answers: Answers,
    trace: RequestTrace,
    form: Written,
) -> Response:
    """A second agent is told that the claim is answered, and loses no text."""
    if not form.text.strip():
        return await _claim_page(
            database, policies, mail, session, claim_id, wrong="Write something first.", status=422
        )
    try:
        async with database.transaction() as tx:
            claim = await _claim(tx, claim_id)
            await answers.answer_claim(tx, claim, form.key, form.text.strip(), who=session.who, trace=trace)
    except NotAllowedError as error:
        return await _claim_page(
            database, policies, mail, session, claim_id, wrong=str(error), typed=form.text, status=409
        )
    return redirect(f"/agents/claims/{claim_id}")


@routes.post("/agents/claims/{claim_id}/answered")
async def answered(claim_id: UUID, session: Sending, database: ServiceDatabase, trace: RequestTrace) -> Response:
    async with database.transaction() as tx:
        await answer_claim(tx, claim_id, session.who, trace=trace)
    return redirect("/agents/claims")


async def _claim(tx: Tx, claim_id: UUID) -> Any:
    """The claim, with the number of its order. Raises Problem (404)."""
    claim = await store.claim_of(tx, claim_id)
    if claim is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-claim", "There is no claim of this id.")
    return claim


async def _claim_page(
    database: Database,
    policies: OrderPolicies,
    mail: SupportMailDep,
    session: Session,
    claim_id: UUID,
    *,
    wrong: str | None = None,
    typed: str = "",
    status: int = 200,
) -> Response:
    async with database.reading() as tx:
        claim = await _claim(tx, claim_id)
        mails = [(row, mail.mails.content(row)) for row in await store.mails_of_claim(tx, claim_id)]
        answers = await answers_about(tx, claim_id)
        now = tx.now
    calendar = policies.calendar(claim.storefront)
    return page(
        "claim",
        status,
        session=session,
        now=now,
        zone=calendar.zone,
        calendar=calendar,
        claim=claim,
        mails=mails,
        answers=answers,
        fresh_key=uuid7(),
        typed=typed,
        wrong=wrong,
    )
