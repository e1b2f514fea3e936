"""HTTP: agents read the held orders and decide about them (PP 4.5)."""

from http import HTTPStatus
from typing import Any

from fastapi import APIRouter

from ordering.dependencies import CallingAgent, FraudLimits
from ordering.holds.actions import decide
from ordering.holds.models import Decision
from ordering.holds.rules import explain
from ordering.holds.store import find_open
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


@router.post("/orders/{reference}/release", name="release")
async def release_order(agent: CallingAgent, reference: Named, database: ServiceDatabase) -> dict[str, str]:
    """Release a held order, so that it can be paid."""
    return await _decide(database, agent, reference, "released")


@router.post("/orders/{reference}/refusal", name="refuse")
async def refuse_order(agent: CallingAgent, reference: Named, database: ServiceDatabase) -> dict[str, str]:
    """Refuse a held order, finally."""
    return await _decide(database, agent, reference, "refused")


async def _decide(database: Database, agent: str, reference: str, decision: Decision) -> dict[str, str]:
    async with database.transaction("http") as tx:
        decided = await decide(tx, Reference.parse(reference), decision=decision, agent=agent)
    if not decided:
        raise Problem(HTTPStatus.CONFLICT, "not-held", "No such order is held and waits for a decision.")
    return {"decision": decision}
