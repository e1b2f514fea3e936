"""HTTP: `GET /orders/{order}/refund-eligibility`, what a buyer can expect before requesting a refund."""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel

from refunds.callers import AnyCaller
from refunds.cases import CaseFile, CaseView, find_order, load_one
from refunds.cases.rules.facts import hypothetical
from refunds.dependencies import ShopsDep
from refunds.eligibility.rules import Change, Prospect, prospects
from refunds.policy import decide
from refunds.policy.dependencies import PoliciesDep
from shared.contracts import Explanation, Ground
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.shops.reading import Shops
from shared.values.opaque import Named


class ChangeView(BaseModel):
    """What would change today's decision, and to which."""

    condition: str
    verdict: str
    grounds: list[Ground]

    @classmethod
    def of(cls, change: Change) -> Self:
        return cls(condition=change.condition, verdict=change.decision.verdict, grounds=list(change.decision.grounds))


class ProspectView(BaseModel):
    """Today's decision on a complete request for this reason. `until`: the last moment to request (exclusive)."""

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
    """`status`: `open` for requests, `refunded` where everything is already returned, or `not_paid`."""

    order_number: str
    policy: str | None
    status: Literal["open", "refunded", "not_paid"]
    as_of: datetime
    answers: list[ProspectView]
    #: The cases of the order, oldest first.
    cases: list[CaseView]
    #: Whether the order can be cancelled (RC 5): null where the seller's policy has no cancellation of it.
    cancellation: Literal["possible", "not_yet"] | None


routes = APIRouter(tags=["eligibility"])


@routes.get("/orders/{order}/refund-eligibility")
async def eligibility(
    order: Named, caller: AnyCaller, database: ServiceDatabase, policies: PoliciesDep, shops: ShopsDep
) -> Eligibility:
    """Today's answer per likely reason, until when it holds, and what would change it. Nothing is recorded."""
    async with database.reading() as tx:
        row = await find_order(tx, order, caller.storefront)
        file = await load_one(tx, row.order_id)
        now = tx.now
    about: dict[str, Any] = {
        "order_number": row.order_number,
        "as_of": now,
        "cases": [CaseView.of(file, case) for case in file.cases],
        "cancellation": _cancellation(file, shops),
    }
    if row.paid_at is None:
        return Eligibility(**about, policy=None, status="not_paid", answers=[])
    policy = policies.policy(row.storefront, row.paid_at)
    if policy is None:
        raise Problem(HTTPStatus.CONFLICT, "no-policy", "No policy is known for this storefront; a person must decide.")
    if file.left_minor <= 0:
        return Eligibility(**about, policy=policy.name, status="refunded", answers=[])
    found = prospects(
        lambda reason: hypothetical(file.order, reason, now),
        lambda facts: decide(policies.with_delivery_limit(facts), policy),
    )
    answers = [ProspectView.of(prospect) for prospect in found]
    return Eligibility(**about, policy=policy.name, status="open", answers=answers)


def _cancellation(file: CaseFile, shops: Shops) -> Literal["possible", "not_yet"] | None:
    """Whether there is a cancellation to offer. Whether the eSIM is installed is found out when it is asked for."""
    row, shop = file.order.row, shops.get(file.order.row.storefront)
    over = row.revoked_at or row.expired_at or row.failed_at or file.left_minor <= 0
    if shop is None or shop.cancellation is None or row.kind == "top_up" or over:
        return None
    return "not_yet" if row.generated_at is None else "possible"
