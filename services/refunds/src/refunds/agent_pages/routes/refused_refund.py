"""The forms about a refused refund on the page of a case: retry, paid another way, confirm or reject."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from refunds.agent_pages.case_page import NOTHING_TYPED, CasePages, CasePagesDep
from refunds.agent_pages.dependencies import Sending
from refunds.cases import NotAllowedError, find_order_of_case
from refunds.refused_refunds import Payout, RefusedRefundService
from shared.database import Tx
from shared.kernel.dependencies import RequestTrace
from shared.signin.rendering import redirect
from shared.signin.sessions import Session
from shared.values.money import to_minor
from shared.values.text import Line

routes = APIRouter()


@dataclass(slots=True, frozen=True)
class SentForm:
    """What every form about a refused refund needs."""

    session: Session
    trace: str | None
    service: RefusedRefundService
    pages: CasePages

    async def take(
        self,
        case_id: UUID,
        action: Callable[[Tx, UUID], Awaitable[None]],
        typed: Mapping[str, str] = NOTHING_TYPED,
    ) -> Response:
        """Take an action (transaction, order id), and show the case; 409 says why it is not allowed."""
        try:
            async with self.pages.database.transaction() as tx:
                order = await find_order_of_case(tx, case_id)
                await action(tx, order.order_id)
        except NotAllowedError as error:
            return await self.pages.show(self.session, case_id, wrong=str(error), typed=typed, status=409)
        return redirect(f"/agents/cases/{case_id}#refused")


def _sent_form(
    request: Request,
    session: Sending,
    trace: RequestTrace,
    pages: CasePagesDep,
) -> SentForm:
    service: RefusedRefundService = request.app.state.refused_refunds
    return SentForm(session, trace, service, pages)


SentFormDep = Annotated[SentForm, Depends(_sent_form)]


@routes.post("/agents/cases/{case_id}/refund/retry")
async def retry(case_id: UUID, form: SentFormDep, key: Annotated[UUID, Form()]) -> Response:
    async def action(tx: Tx, order_id: UUID) -> None:
        await form.service.retry(tx, order_id, case_id, key, form.session.who, form.trace)

    return await form.take(case_id, action)


@routes.post("/agents/cases/{case_id}/refund/hand-payment")
async def record(
    case_id: UUID,
    form: SentFormDep,
    key: Annotated[UUID, Form()],
    amount: Annotated[str, Line(32, 0), Form()] = "",
    way: Annotated[str, Line(40, 0), Form()] = "",
    reference: Annotated[str, Line(80, 0), Form()] = "",
) -> Response:
    payout = Payout(to_minor(amount), way, reference.strip())

    async def action(tx: Tx, order_id: UUID) -> None:
        await form.service.record_payment(tx, order_id, case_id, key, form.session.who, form.trace, payout)

    return await form.take(case_id, action, {"amount": amount, "way": way, "reference": reference})


@routes.post("/agents/cases/{case_id}/refund/decision")
async def decide(
    case_id: UUID,
    form: SentFormDep,
    payment: Annotated[UUID, Form()],
    decision: Annotated[str, Form(pattern="^(confirm|reject)$")],
) -> Response:
    confirmed = decision == "confirm"

    async def action(tx: Tx, order_id: UUID) -> None:
        await form.service.decide_payment(
            tx, order_id, case_id, payment, form.session.who, form.trace, confirmed=confirmed
        )

    return await form.take(case_id, action)
