"""Appeals against a denial (RF 6)."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from refunds.callers import Callers
from refunds.cases import CaseService
from refunds.cases.models.views import CaseView
from refunds.problems import order_of_case, refusals
from shared.database import Database
from shared.values.text import Lines


class AppealBody(BaseModel):
    """What the buyer holds against the denial; kept for the agent, for a limited time."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Lines(4000)] | None = Field(None, repr=False)


def router(database: Database, case_service: CaseService, callers: Callers) -> APIRouter:
    """`POST /cases/{case_id}/appeals`."""
    routes = APIRouter(tags=["appeals"])

    @routes.post("/cases/{case_id}/appeals", status_code=HTTPStatus.CREATED)
    async def appeal(case_id: UUID, body: AppealBody, request: Request) -> CaseView:
        """Reopen a denied case for another agent than the one who decided. Appealing twice changes nothing."""
        caller = callers.anyone(request)
        words = (("appeal", body.text),) if body.text else ()
        async with database.transaction() as tx:
            order = await order_of_case(tx, case_id, caller)
            with refusals():
                file, case = await case_service.appeal(
                    tx, order.order_id, case_id, who=caller.who, words=words, trace=request.state.trace
                )
        return CaseView.of(file, case)

    return routes
