"""Asking for money back, and cancelling."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from refunds import cases as service
from refunds.callers import Caller, Callers
from refunds.cases import CaseService
from refunds.cases.models.case import CANCELLATION
from refunds.cases.models.views import CaseView
from refunds.policy import Reason, RequestField
from refunds.problems import order_of, refusals
from shared.database import Database
from shared.kernel.problems import Problem
from shared.values.moment import Day, Moment
from shared.values.opaque import Named
from shared.values.text import Line, Lines

Channel = Literal["email", "chat", "whatsapp", "telegram", "account", "form"]
Short = Annotated[str, Line(200)]
#: The seller whose policy knows cancellations (RC 5, 6).
_CANCELLING = "e-sim-onl"
_AHEAD = timedelta(minutes=1)


class Asking(BaseModel):
    """How a request came, and what came with it.

    `provided` names fields whose values stay with whoever took them. Of the values given here e-mail and phone are
    compared with the order's own and forgotten, name and payment date are noted as given; circumstances and evidence
    are kept for the agent, for a limited time.
    """

    model_config = ConfigDict(extra="forbid")

    channel: Channel = "form"
    #: When the buyer asked, where that was earlier; agents only.
    received_at: Moment | None = None
    provided: frozenset[RequestField] = frozenset()
    full_name: Short | None = Field(None, repr=False)
    email: Short | None = Field(None, repr=False)
    phone: Short | None = Field(None, repr=False)
    payment_date: Day | None = None
    circumstances: Annotated[str, Lines(4000, 0)] | None = Field(None, repr=False)
    #: References to screenshots, texts of errors.
    evidence: tuple[Annotated[str, Lines(1000)], ...] = Field((), max_length=20, repr=False)

    def named(self) -> Iterator[str]:
        """The fields that came."""
        yield "order_number"  # the address names the order
        yield from self.provided
        for field in ("full_name", "email", "phone", "payment_date", "evidence"):
            if getattr(self, field):
                yield field
        if self.circumstances:
            yield "reason"

    def words(self) -> tuple[tuple[str, str], ...]:
        """What is kept for the agent."""
        found = [("evidence", text) for text in self.evidence]
        if self.circumstances:
            found.insert(0, ("circumstances", self.circumstances))
        return tuple(found)


class RefundRequest(Asking):
    """A request for money back. Giving the reason is giving the field `reason`."""

    reason: Reason

    def named(self) -> Iterator[str]:
        yield from super().named()
        yield "reason"


def router(database: Database, case_service: CaseService, callers: Callers) -> APIRouter:
    """`POST /orders/{order}/refund-requests` and `/cancellation`."""
    routes = APIRouter(tags=["requests"])

    @routes.post("/orders/{order}/refund-requests", status_code=201, responses={200: {"description": "joined"}})
    async def ask(order: Named, body: RefundRequest, request: Request, response: Response) -> CaseView:
        """Open a case (201), or join the order's case on the same ground (200); the answer is the case as it stands."""
        return await _open(order, body, body.reason, None, request, response)

    @routes.post("/orders/{order}/cancellation", status_code=201, responses={200: {"description": "joined"}})
    async def cancel(order: Named, body: Asking, request: Request, response: Response) -> CaseView:
        """Cancel an eSIM that is not installed (RC 5, 6): after a look at the profile it is revoked, then paid back."""
        return await _open(order, body, "changed_mind", CANCELLATION, request, response)

    async def _open(
        order: str, body: Asking, reason: str, ground: str | None, request: Request, response: Response
    ) -> CaseView:
        caller = callers.anyone(request)
        asked = service.Request(
            reason=reason,
            ground=ground,
            channel=body.channel,
            origin="agent" if caller.is_agent else "buyer",
            received_at=_received_at(body, caller, database.clock.now()),
            provided=frozenset(body.named()) | ({"reason"} if ground else frozenset()),
            email=body.email,
            phone=body.phone,
            words=body.words(),
        )
        async with database.transaction() as tx:
            found = await order_of(tx, order, caller)
            if ground == CANCELLATION:
                _cancellable(found)
            with refusals():
                file, case, new = await case_service.open_case(
                    tx, found.order_id, asked, who=caller.who, trace=request.state.trace
                )
        response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
        return CaseView.of(file, case)

    return routes


def _received_at(body: Asking, caller: Caller, now: datetime) -> datetime | None:
    if body.received_at is None:
        return None
    if not caller.is_agent:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "Some fields are missing or wrong; see errors.",
            errors=[{"field": "received_at", "message": "only an agent may say that a request came earlier"}],
        )
    if body.received_at > now + _AHEAD:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "Some fields are missing or wrong; see errors.",
            errors=[{"field": "received_at", "message": "is in the future"}],
        )
    return min(body.received_at, now)


def _cancellable(order: object) -> None:
    """Raises Problem (409) where the seller's policy knows no cancellation, or there is nothing to cancel yet."""
    if order.storefront != _CANCELLING:  # type: ignore[attr-defined] # a row of order_facts
        raise Problem(
            HTTPStatus.CONFLICT,
            "no-cancellation",
            "This seller's policy has no cancellation. Ask for a refund: POST /orders/{order}/refund-requests.",
        )
    if order.kind == "top_up":  # type: ignore[attr-defined] # as above
        raise Problem(HTTPStatus.CONFLICT, "no-cancellation", "A top-up cannot be reversed (RC 4).")
    if order.generated_at is None and order.failed_at is None:  # type: ignore[attr-defined] # as above
        raise Problem(
            HTTPStatus.CONFLICT, "nothing-to-cancel-yet", "The eSIM is still being made. Ask again in a few minutes."
        )
