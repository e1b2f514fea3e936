"""The queue of claims, and one claim with its answer."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from refunds.agent_pages import store
from refunds.agent_pages.dependencies import Answers, Sending, SignedIn, Written
from refunds.agent_pages.rendering import page
from refunds.cases import NotAllowedError, write_entry
from refunds.claims import answer_claim, open_claims
from refunds.policy.dependencies import PoliciesDep
from refunds.support_answers import TemplateError, answers_about, day, fill, templates_of
from refunds.support_mail.dependencies import SupportMailDep
from shared.database import Tx
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


@dataclass(slots=True, frozen=True)
class _ClaimPages:
    """Renders the page of a claim for whoever is signed in."""

    database: ServiceDatabase
    policies: PoliciesDep
    mail: SupportMailDep

    async def show(
        self,
        session: Session,
        claim_id: UUID,
        *,
        wrong: str | None = None,
        typed: str = "",
        template_id: UUID | None = None,
        status: int = 200,
    ) -> Response:
        """The page, with a template filled in as answer; the audit trail says who opened it. Raises Problem (404)."""
        async with self.database.transaction() as tx:
            claim = await _claim(tx, claim_id)
            if wrong is None:
                await write_entry(tx, session.who, "claim_viewed", claim.order_id, claim=str(claim_id))
            mails = [(row, self.mail.mails.content(row)) for row in await store.mails_of_claim(tx, claim_id)]
            answers = await answers_about(tx, claim_id)
            templates = await templates_of(tx, claim.storefront)
            now = tx.now
        calendar = self.policies.calendar(claim.storefront)
        chosen = next((row for row in templates if row.template_id == template_id), None)
        if chosen is not None:
            deadline = day(claim.answer_by, calendar.zone, chosen.language)
            try:
                typed = fill(chosen.text, {"order_number": claim.order_number, "deadline": deadline})
            except TemplateError as error:
                wrong = str(error)
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
            templates=templates,
            fresh_key=uuid7(),
            typed=typed,
            wrong=wrong,
        )


ClaimPagesDep = Annotated[_ClaimPages, Depends()]


@routes.get("/agents/claims/{claim_id}")
async def show(claim_id: UUID, session: SignedIn, pages: ClaimPagesDep, template: UUID | None = None) -> Response:
    return await pages.show(session, claim_id, template_id=template)


@routes.post("/agents/claims/{claim_id}/answer")
async def answer(
    claim_id: UUID,
    session: Sending,
    pages: ClaimPagesDep,
    answers: Answers,
    trace: RequestTrace,
    form: Written,
) -> Response:
    """A second agent is told that the claim is answered, and loses no text."""
    if not form.text.strip():
        return await pages.show(session, claim_id, wrong="Write something first.", status=422)
    try:
        async with pages.database.transaction() as tx:
            claim = await _claim(tx, claim_id)
            await answers.answer_claim(tx, claim, form.key, form.text.strip(), who=session.who, trace=trace)
    except NotAllowedError as error:
        return await pages.show(session, claim_id, wrong=str(error), typed=form.text, status=409)
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
