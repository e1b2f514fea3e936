"""`GET /cases/{order_id}`; what agents find; notes."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from refunds.callers import Callers
from refunds.cases import CaseService
from refunds.cases.models.request import Finding
from refunds.cases.models.views import CaseView, OrderCases
from refunds.cases.store.cases import load
from refunds.problems import order_of_case, refusals, unknown_order
from shared.database import Database
from shared.values.text import Line, Lines

Words = Annotated[str, Lines(4000)]


class FindingBody(BaseModel):
    """What support found out; whatever is left out stays as it is. An empty one confirms: it answers an appeal."""

    model_config = ConfigDict(extra="forbid")

    finding: Literal["technical_failure", "no_failure"] | None = None
    restored: bool = False
    fair_use_violated: bool | None = None
    buyer_caused_delay: bool | None = None
    #: The law or payment-service rule that makes the refund mandatory (RF 2.5).
    legal_rule: Annotated[str, Line(500)] | None = None
    #: What the operator said of the profile outside its interfaces (by telephone, in its portal).
    profile: Literal["unused", "used"] | None = None
    #: Pay although the profile could not be taken back; only where the case waits for a person because of that.
    pay_unrevoked: bool = False
    note: Words | None = Field(None, repr=False)


def router(database: Database, case_service: CaseService, callers: Callers) -> APIRouter:
    """Cases, for agents."""
    routes = APIRouter(tags=["cases"])

    @routes.get("/cases/{order_id}")
    async def show(order_id: UUID, request: Request) -> OrderCases:
        """The cases of an order with facts, decision, grounds and state."""
        callers.agent(request)
        async with database.reading() as tx:
            file = (await load(tx, [order_id])).get(order_id)
        if file is None:
            raise unknown_order()
        return OrderCases.of(file)

    @routes.post("/cases/{case_id}/findings")
    async def find(case_id: UUID, body: FindingBody, request: Request) -> CaseView:
        """Record what was found; the case is decided again at once. 409 where it is decided for good."""
        caller = callers.agent(request)
        found = Finding(**body.model_dump(exclude={"note"}))
        async with database.transaction() as tx:
            order = await order_of_case(tx, case_id, caller)
            with refusals():
                if body.note is not None:
                    await case_service.note(tx, order.order_id, case_id, caller.who, body.note)
                await case_service.find(tx, order.order_id, caller.who, found, case_id, request.state.trace)
        async with database.reading() as tx:
            file = (await load(tx, [order.order_id]))[order.order_id]
        return CaseView.of(file, next(case for case in file.cases if case.case_id == case_id))

    return routes
