"""HTTP: requests for refunds and cancellations, cases, findings, appeals."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response

from refunds.callers import AgentCaller, AnyCaller, Caller
from refunds.cases.dependencies import CaseServiceDep
from refunds.cases.models.bodies import AppealBody, CancellationRequest, FindingBody, RefundRequest, ShopRefundBody
from refunds.cases.models.case import CANCELLATION
from refunds.cases.models.request import Finding, Request, ShopRefund
from refunds.cases.rules.shop_refunds import ground_of, request_hash
from refunds.cases.store.cases import find_order, find_order_of_case, load_one
from refunds.cases.views import CaseView, OrderCases
from refunds.dependencies import ShopsDep
from shared.kernel.dependencies import RequestTrace, ServiceClock, ServiceDatabase
from shared.kernel.problems import Problem, invalid_request
from shared.shops.reading import Shops
from shared.values.opaque import Named
from shared.values.text import Line

#: How far the clock of an agent's program may be ahead of ours.
_CLOCK_DIFFERENCE = timedelta(minutes=1)

routes = APIRouter()


@dataclass(slots=True, frozen=True)
class _Opening:
    """What the endpoints that open a case share."""

    caller: AnyCaller
    database: ServiceDatabase
    clock: ServiceClock
    case_service: CaseServiceDep
    shops: ShopsDep
    trace: RequestTrace
    response: Response

    async def open_case(
        self, order: str, body: RefundRequest | CancellationRequest, reason: str, ground: str | None = None
    ) -> CaseView:
        """Open a case (201), or join the open one (200). Raises Problem."""
        request = _request(body, reason, ground, self.caller, self.clock.now())
        async with self.database.transaction() as tx:
            row = await find_order(tx, order, self.caller.storefront)
            if ground == CANCELLATION:
                _require_cancellable(row, self.shops)
            file, case, new = await self.case_service.open_case(
                tx, row.order_id, request, who=self.caller.who, trace=self.trace
            )
        self.response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
        return CaseView.of(file, case)


OpeningDep = Annotated[_Opening, Depends()]


@routes.post(
    "/orders/{order}/refund-requests",
    status_code=HTTPStatus.CREATED,
    responses={200: {"description": "joined"}},
    tags=["requests"],
)
async def ask(order: Named, body: RefundRequest, opening: OpeningDep) -> CaseView:
    """Open a case (201), or join the order's case on the same ground (200); the answer is the case as it stands."""
    return await opening.open_case(order, body, body.reason)


@routes.post(
    "/orders/{order}/cancellation",
    status_code=HTTPStatus.CREATED,
    responses={200: {"description": "joined"}},
    tags=["requests"],
)
async def cancel(order: Named, body: CancellationRequest, opening: OpeningDep) -> CaseView:
    """Cancel an eSIM that is not installed (RC 5, 6): it is observed, revoked, and paid back."""
    return await opening.open_case(order, body, "changed_mind", CANCELLATION)


@routes.post(
    "/orders/{order}/refund",
    status_code=HTTPStatus.CREATED,
    responses={200: {"description": "a repetition under the same key"}},
    tags=["requests"],
)
async def refund(
    order: Named,
    body: ShopRefundBody,
    opening: OpeningDep,
    idempotency_key: Annotated[str, Line(100), Header(description="one key for one refund, the same on every retry")],
) -> CaseView:
    """Return money of an order by the shop's own decision, whole or in part, never more than is left (PO 6.3).

    Without `amount` all that is left goes back, and the eSIM is revoked first (I13): until the operator has confirmed
    that, the case is `revoking`. A part goes back at once, and the buyer keeps the eSIM.
    """
    storefront = opening.caller.storefront
    if storefront is None:
        raise Problem(
            HTTPStatus.FORBIDDEN, "shops-only", "Only the order's shop decides this; agents record findings in cases."
        )
    amount = None if body.amount is None else body.amount.money
    decided = ShopRefund(ground_of(storefront, idempotency_key), amount, body.reason, request_hash(amount, body.reason))
    async with opening.database.transaction() as tx:
        row = await find_order(tx, order, storefront)
        file, case, new = await opening.case_service.refund_of_shop(
            tx, row.order_id, decided, who=opening.caller.who, trace=opening.trace
        )
    opening.response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    return CaseView.of(file, case)


@routes.get("/cases/{order_id}", tags=["cases"])
async def show(order_id: UUID, _caller: AgentCaller, database: ServiceDatabase) -> OrderCases:
    """The cases of an order with facts, decision, grounds and state."""
    async with database.reading() as tx:
        return OrderCases.of(await load_one(tx, order_id))


@routes.post("/cases/{case_id}/findings", tags=["cases"])
async def find(
    case_id: UUID,
    body: FindingBody,
    caller: AgentCaller,
    database: ServiceDatabase,
    case_service: CaseServiceDep,
    trace: RequestTrace,
) -> CaseView:
    """Record what was found; the case is decided again at once. 409 where it is decided for good."""
    finding = Finding(**body.model_dump(exclude={"note"}))
    async with database.transaction() as tx:
        row = await find_order_of_case(tx, case_id)
        if body.note is not None:
            await case_service.note(tx, row.order_id, case_id, caller.who, body.note)
        file, case = await case_service.find(tx, row.order_id, caller.who, finding, case_id, trace)
    return CaseView.of(file, case)


@routes.post("/cases/{case_id}/appeals", status_code=HTTPStatus.CREATED, tags=["appeals"])
async def appeal(
    case_id: UUID,
    body: AppealBody,
    caller: AnyCaller,
    database: ServiceDatabase,
    case_service: CaseServiceDep,
    trace: RequestTrace,
) -> CaseView:
    """Reopen a denied case for another agent than the one who decided. Appealing twice changes nothing."""
    words = (("appeal", body.text),) if body.text else ()
    async with database.transaction() as tx:
        row = await find_order_of_case(tx, case_id, caller.storefront)
        file, case = await case_service.appeal(tx, row.order_id, case_id, who=caller.who, words=words, trace=trace)
    return CaseView.of(file, case)


def _request(
    body: RefundRequest | CancellationRequest, reason: str, ground: str | None, caller: Caller, now: datetime
) -> Request:
    return Request(
        reason=reason,
        ground=ground,
        channel=body.channel,
        origin="agent" if caller.is_agent else "buyer",
        received_at=_received_at(body.received_at, caller, now),
        provided=frozenset(body.fields_given()),
        email=body.email,
        phone=body.phone,
        words=body.words(),
    )


def _received_at(received_at: datetime | None, caller: Caller, now: datetime) -> datetime | None:
    """When the request came in; None: now. Raises Problem (422)."""
    if received_at is None:
        return None
    if not caller.is_agent:
        raise _wrong_received_at("only an agent may say that a request came earlier")
    if received_at > now + _CLOCK_DIFFERENCE:
        raise _wrong_received_at("is in the future")
    return min(received_at, now)


def _wrong_received_at(message: str) -> Problem:
    return invalid_request([{"field": "received_at", "message": message}])


def _require_cancellable(order: Any, shops: Shops) -> None:
    """Raises Problem (409) where the seller's policy has no cancellation, or nothing can be cancelled yet."""
    shop = shops.get(order.storefront)
    if shop is None or shop.cancellation is None:
        raise Problem(
            HTTPStatus.CONFLICT,
            "no-cancellation",
            "This seller's policy has no cancellation. Ask for a refund: POST /orders/{order}/refund-requests.",
        )
    if order.kind == "top_up":
        raise Problem(HTTPStatus.CONFLICT, "no-cancellation", "A top-up cannot be reversed (RC 4).")
    if order.generated_at is None and order.failed_at is None:
        raise Problem(
            HTTPStatus.CONFLICT, "nothing-to-cancel-yet", "The eSIM is still being made. Ask again in a few minutes."
        )
