"""HTTP for agents: the outcome of a refund that waits for a person."""

from http import HTTPStatus
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from payments.http_context import Context, agents_only
from payments.refunds import store
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem

routes = APIRouter(tags=["agents"], dependencies=[agents_only])


class Finding(BaseModel):
    """What a person learned from the bank about a refund of unknown outcome."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    made: bool


@routes.post("/refunds/{refund_id}/finding", name="find")
async def decide_unknown(
    refund_id: UUID, finding: Finding, database: ServiceDatabase, context: Context
) -> JSONResponse:
    """For a refund that waits for a person: `made` settles it, otherwise the bank is asked to make it."""
    async with database.transaction() as tx:
        parked = await store.take_parked(tx, refund_id, settled=finding.made)
        if parked is None:
            detail = "This refund does not wait for a person: it is under way, over, or not known here."
            raise Problem(HTTPStatus.CONFLICT, "refund-not-waiting", detail)
        if finding.made:
            await store.record_settled(tx, [refund_id], {refund_id: parked.trace}, context.shops.current())
    return JSONResponse({"refund_id": str(refund_id), "state": "settled" if finding.made else "calling"})
