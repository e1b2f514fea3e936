"""HTTP: agents look at held orders and decide them (PP 4.5)."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Header

from ordering.holds import actions as holds
from ordering.holds.rules import Limits, explained
from ordering.timeline.reference import Reference
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.values.opaque import Named

Key = Annotated[str | None, Header(alias="Authorization", description="`Bearer <agent's key>`")]


def router(database: Database, agents: ApiKeys, limits: Limits) -> APIRouter:
    """The routes of held orders."""
    routes = APIRouter(tags=["fraud control"])

    @routes.get("/holds")
    async def queue(authorization: Key = None) -> list[dict[str, Any]]:
        """Held orders that wait for an agent, the oldest first, with the reasons in words."""
        agents.holder(authorization)
        async with database.reading() as tx:
            found = await holds.waiting(tx)
        return [
            {
                "order_id": str(one.order_id),
                "order_number": str(one.number),
                "storefront": one.storefront,
                "held_at": one.held_at,
                "rules": list(one.rules),
                "reasons": explained(one.rules, limits),
            }
            for one in found
        ]

    @routes.post("/orders/{reference}/release")
    async def release(reference: Named, authorization: Key = None) -> dict[str, str]:
        """Let a held order be paid."""
        return await _decide(database, agents.holder(authorization), reference, "released")

    @routes.post("/orders/{reference}/refusal")
    async def refuse(reference: Named, authorization: Key = None) -> dict[str, str]:
        """Refuse a held order for good."""
        return await _decide(database, agents.holder(authorization), reference, "refused")

    return routes


async def _decide(database: Database, agent: str, reference: str, decision: holds.Decision) -> dict[str, str]:
    async with database.transaction("http") as tx:
        done = await holds.decide(tx, Reference.read(reference), decision=decision, agent=agent)
    if not done:
        raise Problem(HTTPStatus.CONFLICT, "not-held", "No such order is held and waits for a decision.")
    return {"decision": decision}
