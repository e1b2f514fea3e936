"""HTTP: receives written claims, lists the open ones, and marks them as answered."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, StringConstraints

from refunds.callers import AgentCaller, AnyCaller
from refunds.cases import find_order
from refunds.cases.models.bodies import Channel
from refunds.claims.store import answer_claim, open_claims, receive_claim
from refunds.policy.dependencies import PoliciesDep
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.moment import Moment
from shared.values.text import Line


class ClaimBody(BaseModel):
    """A letter about an order. `reference` is the letter's own (a register number): sent twice, it is kept once."""

    model_config = ConfigDict(extra="forbid")

    #: Id or number.
    order: Annotated[str, Line(36, 6)]
    reference: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z./_-]{1,64}$")]
    channel: Channel = "email"
    #: When it came in; agents only. Default: now.
    received_at: Moment | None = None


class ClaimView(BaseModel):
    """A written claim and until when it is answered."""

    claim_id: UUID
    order_id: UUID
    storefront: str
    reference: str
    channel: str
    received_at: datetime
    answer_by: datetime
    answered_at: datetime | None
    answered_by: str | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


routes = APIRouter(tags=["claims"])


@routes.post("/claims", status_code=HTTPStatus.CREATED)
async def receive(
    body: ClaimBody,
    caller: AnyCaller,
    database: ServiceDatabase,
    policies: PoliciesDep,
    trace: RequestTrace,
    response: Response,
) -> ClaimView:
    """Store a claim (201), or return the one that is stored under this reference (200)."""
    async with database.transaction() as tx:
        order = await find_order(tx, body.order, caller.storefront)
        received_at = min(body.received_at, tx.now) if body.received_at and caller.is_agent else tx.now
        row, new = await receive_claim(
            tx,
            policies,
            order,
            reference=body.reference,
            channel=body.channel,
            received_at=received_at,
            who=caller.who,
            trace=trace,
        )
    response.status_code = HTTPStatus.CREATED if new else HTTPStatus.OK
    return ClaimView.of(row)


@routes.get("/claims")
async def queue(_caller: AgentCaller, database: ServiceDatabase) -> list[ClaimView]:
    """Open claims, the most urgent first (at most 500)."""
    async with database.reading() as tx:
        return [ClaimView.of(row) for row in await open_claims(tx)]


@routes.post("/claims/{claim_id}/answer", status_code=HTTPStatus.NO_CONTENT)
async def answer(claim_id: UUID, caller: AgentCaller, database: ServiceDatabase, trace: RequestTrace) -> None:
    """The answer has been sent another way: the deadline is met, and a mail tells the buyer so."""
    async with database.transaction() as tx:
        if not await answer_claim(tx, claim_id, caller.who, trace=trace):
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-claim", "There is no open claim of this id.")
