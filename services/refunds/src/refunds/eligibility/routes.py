"""`GET /orders/{order}/refund-eligibility`: what a buyer may expect before asking."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal, Self

from fastapi import APIRouter, Request
from pydantic import BaseModel

from refunds.callers import Callers
from refunds.cases import CaseService
from refunds.cases.rules.facts import hypothetical
from refunds.cases.store.cases import load
from refunds.eligibility.rules import Change, Prospect, prospects
from refunds.policy import decide
from refunds.problems import order_of
from shared.contracts import Explanation, Ground
from shared.database import Database
from shared.kernel.problems import Problem
from shared.values.opaque import Named


class ChangeView(BaseModel):
    """What would change today's answer, and to what."""

    condition: str
    verdict: str
    grounds: list[Ground]

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(condition=change.condition, verdict=change.decision.verdict, grounds=list(change.decision.grounds))


class ProspectView(BaseModel):
    """Today's answer to a complete request for this reason. `until`: the last moment to ask (exclusive)."""

    reason: str
    verdict: str
    grounds: list[Ground]
    explanation: Explanation
    until: datetime | None
    would_change: list[ChangeView]

    @classmethod
    def of(cls, prospect: Prospect) -> Self:
        decision = prospect.decision
        return cls(
            reason=prospect.reason,
            verdict=decision.verdict,
            grounds=list(decision.grounds),
            explanation=decision.explanation,
            until=decision.deadlines.request_until,
            would_change=[ChangeView.of(change) for change in prospect.changes],
        )


class Eligibility(BaseModel):
    """`status`: `open` to be asked, or `refunded` where everything goes back already."""

    order_number: str
    policy: str | None
    status: Literal["open", "refunded", "not_paid"]
    as_of: datetime
    answers: list[ProspectView]


def router(database: Database, case_service: CaseService, callers: Callers) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["eligibility"])

    @routes.get("/orders/{order}/refund-eligibility")
    async def eligibility(order: Named, request: Request) -> Eligibility:
        """Today's answer per likely reason, until when it holds, and what would change it. Nothing is recorded."""
        caller = callers.anyone(request)
        async with database.reading() as tx:
            row = await order_of(tx, order, caller)
            file = (await load(tx, [row.order_id]))[row.order_id]
            now = tx.now
        if row.paid_at is None:
            return Eligibility(order_number=row.order_number, policy=None, status="not_paid", as_of=now, answers=[])
        policy = case_service.policies.policy(row.storefront, row.paid_at)
        if policy is None:
            raise Problem(
                HTTPStatus.CONFLICT, "no-policy", "No policy is known for this storefront; a person must decide."
            )
        if file.left_minor <= 0:
            return Eligibility(
                order_number=row.order_number, policy=policy.name, status="refunded", as_of=now, answers=[]
            )
        found = prospects(
            lambda reason: hypothetical(file.order, reason, now),
            lambda facts: decide(case_service.policies.promised(facts), policy),
        )
        return Eligibility(
            order_number=row.order_number,
            policy=policy.name,
            status="open",
            as_of=now,
            answers=[ProspectView.of(prospect) for prospect in found],
        )

    return routes
