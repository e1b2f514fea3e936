"""Stores written claims and their answers."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.cases import check_claims, lock, write_entry
from refunds.cases.rules.deadlines import answer_by
from refunds.policy import OrderPolicies
from refunds.tables import claims
from shared.contracts import ClaimAnswered, ClaimReceived, order_fields
from shared.database import Tx
from shared.ids import uuid_for
from shared.task_payload import NoPayload

#: The kind of the task that checks, when the time is over, whether a claim was answered. Its key is the claim's id.
CLAIM_DUE = "claim_due"
_MARK_MISSED = """
UPDATE claims SET alarmed_at = :now
WHERE claim_id = ANY(CAST(:claims AS uuid[])) AND answered_at IS NULL AND alarmed_at IS NULL AND answer_by <= :now
RETURNING claim_id, order_id, storefront
"""
_ANSWER = """
UPDATE claims SET answered_at = :now, answered_by = :who WHERE claim_id = :claim AND answered_at IS NULL
RETURNING *, (SELECT f.order_number FROM order_facts f WHERE f.order_id = claims.order_id) AS order_number
"""
_FIND = "SELECT * FROM claims WHERE claim_id = :claim"
_OPEN = """
SELECT c.*, f.order_number FROM claims c JOIN order_facts f USING (order_id)
WHERE c.answered_at IS NULL ORDER BY c.answer_by, c.claim_id LIMIT 500
"""


async def receive_claim(
    tx: Tx,
    policies: OrderPolicies,
    order: Any,
    *,
    reference: str,
    channel: str,
    received_at: datetime,
    who: str,
    trace: str | None,
) -> tuple[Any, bool]:
    """Store a claim about an order, publish it, and schedule the check of its deadline.

    The same `reference` is stored once. Returns the row of the claim, and whether it is new. Raises LimitError.
    """
    await lock(tx, [order.order_id])
    claim_id = uuid_for("claim", str(order.order_id), reference)
    if (stored := (await tx.execute(_FIND, claim=claim_id)).one_or_none()) is not None:
        return stored, False
    await check_claims(tx, order.order_id, who)
    deadline = answer_by(policies, order.storefront, order.paid_at or received_at, received_at)
    row = {
        "claim_id": claim_id,
        "order_id": order.order_id,
        "storefront": order.storefront,
        "buyer_id": order.buyer_id,
        "reference": reference,
        "channel": channel,
        "received_at": received_at,
        "answer_by": deadline,
    }
    await tx.insert(claims, [row], on_conflict="")
    event = ClaimReceived(
        **order_fields(order),
        claim_id=claim_id,
        received_at=received_at,
        answer_by=deadline,
    )
    tx.publish(event, trace=trace)
    tx.schedule(CLAIM_DUE, str(claim_id), NoPayload(), due_at=deadline + timedelta(seconds=1), trace=trace)
    await write_entry(tx, who, "claim_received", order.order_id, claim_id=str(claim_id), answer_by=deadline.isoformat())
    return (await tx.execute(_FIND, claim=claim_id)).one(), True


async def answer_claim(tx: Tx, claim_id: UUID, who: str, *, trace: str | None, answer_id: UUID | None = None) -> bool:
    """Store and publish that a claim was answered. False where there is no open claim with this id.

    `answer_id`: of the text that is sent to the buyer; None: the answer was sent another way.
    """
    claim = (await tx.execute(_ANSWER, claim=claim_id, who=who, now=tx.now)).one_or_none()
    if claim is None:
        return False
    event = ClaimAnswered(
        **order_fields(claim),
        claim_id=claim_id,
        received_at=claim.received_at,
        answer_by=claim.answer_by,
        answered_at=claim.answered_at,
        answer_id=answer_id,
    )
    tx.publish(event, trace=trace)
    await write_entry(tx, who, "claim_answered", claim.order_id, claim_id=str(claim_id))
    return True


async def open_claims(tx: Tx) -> Sequence[Any]:
    """Open claims, the nearest deadline first (at most 500)."""
    return (await tx.execute(_OPEN)).all()


async def mark_missed(tx: Tx, due: Sequence[UUID]) -> Sequence[Any]:
    """Mark those of the claims that nobody answered in time. Each is returned once."""
    return (await tx.execute(_MARK_MISSED, claims=sorted(due), now=tx.now)).all()
