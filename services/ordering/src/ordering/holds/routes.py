"""HTTP: agents read the held orders and decide about them (PP 4.5)."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from ordering.dependencies import ActingAgent, CallingAgent, FraudLimits
from ordering.holds.actions import decide
from ordering.holds.models import Decision, Hold
from ordering.holds.rules import explain
from ordering.holds.store import find, find_open
from ordering.timeline.models import Reference
from shared.database import Database
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.values.opaque import Named

router = APIRouter(tags=["fraud control"])


@router.get("/holds", name="queue")
async def list_held_orders(
    _agent: CallingAgent, database: ServiceDatabase, limits: FraudLimits
) -> list[dict[str, Any]]:
    """Held orders that wait for an agent, the oldest first, with the reasons in words."""
    async with database.reading() as tx:
        held_orders = await find_open(tx)
    return [
        {
            "order_id": str(held.order_id),
            "order_number": str(held.number),
            "storefront": held.storefront,
            "held_at": held.held_at,
            "rules": list(held.rules),
            "reasons": explain(held.rules, limits(held.storefront)),
        }
        for held in held_orders
    ]


@router.get("/orders/{reference}/hold", name="hold")
async def show_hold(_agent: CallingAgent, reference: Named, database: ServiceDatabase, limits: FraudLimits) -> Hold:
    """Why an order was held, and what an agent decided. 404: it was never held."""
    async with database.reading() as tx:
        row = await find(tx, Reference.parse(reference))
    if row is None:
        raise Problem(HTTPStatus.NOT_FOUND, "not-held", "There is no such order, or it was never held.")
    return Hold(
        held_at=row.held_at,
        rules=tuple(row.rules),
        reasons=explain(tuple(row.rules), limits(row.storefront)),
        decision=row.decision,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
    )


@router.post("/orders/{reference}/release", name="release")
async def release_order(agent: ActingAgent, reference: Named, database: ServiceDatabase) -> dict[str, str]:
    """Release a held order, so that it can be paid."""
    return await _decide(database, agent, reference, "released")


@router.post("/orders/{reference}/refusal", name="refuse")
async def refuse_order(agent: ActingAgent, reference: Named, database: ServiceDatabase) -> dict[str, str]:
    """Refuse a held order, finally."""
    return await _decide(database, agent, reference, "refused")


async def _decide(database: Database, agent: str, reference: str, decision: Decision) -> dict[str, str]:
    order = Reference.parse(reference)
    async with database.transaction("http") as tx:
        decided = await decide(tx, order, decision=decision, agent=agent)
        earlier = None if decided else await find(tx, order)
    if decided:
        return {"decision": decision}
    detail = "No such order is held and waits for a decision."
    if earlier is not None:
        detail = (
            f"{earlier.decided_by} has {earlier.decision} this order on {earlier.decided_at:%Y-%m-%d at %H:%M} UTC."
        )
    raise Problem(HTTPStatus.CONFLICT, "not-held", detail)
