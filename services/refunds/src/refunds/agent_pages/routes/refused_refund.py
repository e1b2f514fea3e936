"""The forms about a refused refund on a case's page: retry, paid another way, confirm or reject."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from refunds.agent_pages.rendering import ShowCase
from refunds.callers import Caller
from refunds.cases.models.errors import NotAllowedError
from refunds.problems import order_of_case
from refunds.refused_refunds import Payout, RefusedRefunds, store
from refunds.refused_refunds.routes import refusal_in_words
from refunds.refused_refunds.rules import WAYS, RefusedRefund
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.signin.rendering import redirect
from shared.signin.sessions import Sessions
from shared.values.money import to_minor
from shared.values.opaque import Named
from shared.values.text import Line

_EVERYBODY = Caller("agent", None)


async def panel(tx: Tx, case_id: UUID, who: str) -> dict[str, Any]:
    """What the page shows of it: `refused` is None where the bank has not refused anything."""
    refund = await store.read(tx, case_id)
    history = [] if refund is None else await store.history(tx, case_id)
    return {
        "refused": refund,
        "refused_history": [(row, refusal_in_words(row.refusal or row.decision_refusal)) for row in history],
        "second_person": _may_decide(refund, who),
        "ways": WAYS,
        "fresh_key": uuid7(),
    }


def _may_decide(refund: RefusedRefund | None, who: str) -> bool:
    action = None if refund is None else refund.open
    return action is not None and action.accepted and action.decided_by is None and action.requested_by != who


def router(database: Database, actions: RefusedRefunds, sessions: Sessions, show: ShowCase) -> APIRouter:
    """`show` renders the case again with what was wrong."""
    routes = APIRouter(include_in_schema=False)

    async def take(
        request: Request, csrf: str, case_id: UUID, action: Callable[[Tx, UUID, str], Awaitable[None]]
    ) -> Response:
        """Take an action (transaction, order id, who) and show the case; 409 says why it is not allowed."""
        session = await sessions.acting(request, csrf)
        try:
            async with database.transaction() as tx:
                order = await order_of_case(tx, case_id, _EVERYBODY)
                await action(tx, order.order_id, session.who)
        except NotAllowedError as error:
            return await show(session, case_id, str(error), 409)
        return redirect(f"/agents/cases/{case_id}#refused")

    @routes.post("/agents/cases/{case_id}/refund/retry")
    async def retry(
        case_id: UUID, request: Request, csrf: Annotated[Named, Form()], key: Annotated[UUID, Form()]
    ) -> Response:
        async def action(tx: Tx, order_id: UUID, who: str) -> None:
            await actions.retry(tx, order_id, case_id, key, who, request.state.trace)

        return await take(request, csrf, case_id, action)

    @routes.post("/agents/cases/{case_id}/refund/hand-payment")
    async def record(
        case_id: UUID,
        request: Request,
        csrf: Annotated[Named, Form()],
        key: Annotated[UUID, Form()],
        amount: Annotated[str, Line(32, 0), Form()] = "",
        way: Annotated[str, Line(40, 0), Form()] = "",
        reference: Annotated[str, Line(80, 0), Form()] = "",
    ) -> Response:
        payout = Payout(to_minor(amount), way, reference.strip())

        async def action(tx: Tx, order_id: UUID, who: str) -> None:
            await actions.record_payment(tx, order_id, case_id, key, who, request.state.trace, payout)

        return await take(request, csrf, case_id, action)

    @routes.post("/agents/cases/{case_id}/refund/decision")
    async def decide(
        case_id: UUID,
        request: Request,
        csrf: Annotated[Named, Form()],
        payment: Annotated[UUID, Form()],
        decision: Annotated[str, Form(pattern="^(confirm|reject)$")],
    ) -> Response:
        confirmed = decision == "confirm"

        async def action(tx: Tx, order_id: UUID, who: str) -> None:
            await actions.decide_payment(tx, order_id, case_id, payment, who, request.state.trace, confirmed=confirmed)

        return await take(request, csrf, case_id, action)

    return routes
