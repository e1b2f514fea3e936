"""HTTP for agents: retry a refused refund, record a payment by hand, confirm or reject it."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from refunds.callers import AgentCaller
from refunds.cases import find_order_of_case
from refunds.refused_refunds import store
from refunds.refused_refunds.rules import RefusedRefund, refusal_in_words
from refunds.refused_refunds.service import Payout, RefusedRefundService
from shared.contracts import Money
from shared.database import Tx
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.values.text import Line

_STRICT = ConfigDict(extra="forbid")


class RetryBody(BaseModel):
    """`action_id`: the caller's own key; sent twice, it is taken once."""

    model_config = _STRICT

    action_id: UUID


class HandPaymentBody(BaseModel):
    """What was paid another way. `payment_id` is the caller's own key; amounts in minor units."""

    model_config = _STRICT

    payment_id: UUID
    amount_minor: int = Field(gt=0, le=10**15)
    way: Annotated[str, Line(40, 0)]
    #: The number of the payment document; no card or account number.
    reference: Annotated[str, Line(40, 0)]


class DecisionBody(BaseModel):
    """The decision of a second person about a payment by hand."""

    model_config = _STRICT

    confirmed: bool


class ActionView(BaseModel):
    """An action of an agent. `refusal`: why payments refused it; null: not refused, or not answered yet."""

    action_id: UUID
    kind: str
    requested_by: str
    requested_at: datetime
    amount: Money | None
    way: str | None
    reference: str | None
    accepted: bool | None
    decided_by: str | None
    confirmed: bool | None
    ended_at: datetime | None
    refusal: str | None


class RefusedRefundView(BaseModel):
    """A refund that the bank refused, as it stands."""

    refund_id: UUID
    failed_at: datetime
    failure: str
    bank_code: int | None
    attempts: int
    left: Money
    under_way: bool
    settled: bool
    actions: list[ActionView]

    @classmethod
    async def read(cls, tx: Tx, case_id: UUID, refund: RefusedRefund) -> Self:
        """The refund with its actions."""
        return cls(
            refund_id=refund.refund_id,
            failed_at=refund.failed_at,
            failure=refund.failure,
            bank_code=refund.bank_code,
            attempts=refund.attempts,
            left=Money(amount=refund.left_minor, currency=refund.currency),
            under_way=refund.under_way,
            settled=refund.settled,
            actions=[
                ActionView(
                    **{name: getattr(row, name) for name in _ACTION_FIELDS},
                    amount=None if row.amount_minor is None else Money(amount=row.amount_minor, currency=row.currency),
                    refusal=refusal_in_words(row.refusal or row.decision_refusal),
                )
                for row in await store.history(tx, case_id)
            ],
        )


_ACTION_FIELDS = tuple(name for name in ActionView.model_fields if name not in {"amount", "refusal"})


def _service(request: Request) -> RefusedRefundService:
    service: RefusedRefundService = request.app.state.refused_refunds
    return service


ServiceDep = Annotated[RefusedRefundService, Depends(_service)]
#: 409 where an action is not possible now; payments may still refuse an accepted one later.
routes = APIRouter(tags=["refused refunds"])


@routes.get("/cases/{case_id}/refund")
async def show(case_id: UUID, _caller: AgentCaller, database: ServiceDatabase) -> RefusedRefundView | None:
    """The case's refund where the bank has refused it; null where it has not."""
    async with database.reading() as tx:
        await find_order_of_case(tx, case_id)
        return await _shown(tx, case_id)


@routes.post("/cases/{case_id}/refund/retry", status_code=HTTPStatus.ACCEPTED)
async def retry(
    case_id: UUID,
    body: RetryBody,
    caller: AgentCaller,
    database: ServiceDatabase,
    service: ServiceDep,
    trace: RequestTrace,
) -> RefusedRefundView | None:
    """Have the bank asked again: the same refund, a new attempt."""
    async with database.transaction() as tx:
        order = await find_order_of_case(tx, case_id)
        await service.retry(tx, order.order_id, case_id, body.action_id, caller.who, trace)
        return await _shown(tx, case_id)


@routes.post("/cases/{case_id}/refund/hand-payments", status_code=HTTPStatus.ACCEPTED)
async def record(
    case_id: UUID,
    body: HandPaymentBody,
    caller: AgentCaller,
    database: ServiceDatabase,
    service: ServiceDep,
    trace: RequestTrace,
) -> RefusedRefundView | None:
    """Record that the refund, or a part of it, was paid another way; a second person has to confirm it."""
    payout = Payout(body.amount_minor, body.way, body.reference)
    async with database.transaction() as tx:
        order = await find_order_of_case(tx, case_id)
        await service.record_payment(tx, order.order_id, case_id, body.payment_id, caller.who, trace, payout)
        return await _shown(tx, case_id)


@routes.post("/cases/{case_id}/refund/hand-payments/{payment_id}/decision", status_code=HTTPStatus.ACCEPTED)
async def decide(
    case_id: UUID,
    payment_id: UUID,
    body: DecisionBody,
    caller: AgentCaller,
    database: ServiceDatabase,
    service: ServiceDep,
    trace: RequestTrace,
) -> RefusedRefundView | None:
    """Confirm or reject a payment by hand; 409 for whoever recorded it."""
    async with database.transaction() as tx:
        order = await find_order_of_case(tx, case_id)
        await service.decide_payment(
            tx, order.order_id, case_id, payment_id, caller.who, trace, confirmed=body.confirmed
        )
        return await _shown(tx, case_id)


async def _shown(tx: Tx, case_id: UUID) -> RefusedRefundView | None:
    refund = await store.read(tx, case_id)
    return None if refund is None else await RefusedRefundView.read(tx, case_id, refund)
