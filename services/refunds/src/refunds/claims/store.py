"""Written claims: a queue of their own, answered within 30 calendar days (PO 7.3, PP 7.3)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.cases.limits import check_claims
from refunds.cases.metrics import CaseMetrics
from refunds.cases.store.cases import Audit, lock
from refunds.policy.rules.order_policies import OrderPolicies
from refunds.tables import claims
from shared.contracts import ClaimReceived
from shared.database import Tx
from shared.ids import uuid_for
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
CLAIM_DUE = "claim_due"
_DAYS = 30
_MISSED = """
UPDATE claims SET alarmed_at = :now
WHERE claim_id = ANY(CAST(:claims AS uuid[])) AND answered_at IS NULL AND alarmed_at IS NULL AND answer_by <= :now
RETURNING claim_id, order_id, storefront
"""
_ANSWER = """
UPDATE claims SET answered_at = :now, answered_by = :who WHERE claim_id = :claim AND answered_at IS NULL
RETURNING order_id
"""
_FIND = "SELECT * FROM claims WHERE claim_id = :claim"
#: Open ones first, by the day on which they must be answered.
_QUEUE = """
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
    """Keep a written claim about an order; the same letter (`reference`) is kept once. Returns its row, and if new.

    Raises LimitError.
    """
    await lock(tx, [order.order_id])
    claim_id = uuid_for("claim", str(order.order_id), reference)
    if (known := (await tx.execute(_FIND, claim=claim_id)).one_or_none()) is not None:
        return known, False
    await check_claims(tx, order.order_id, who)
    policy = policies.policy(order.storefront, order.paid_at or received_at)
    by = None if policy is None else policy.after(policy.deadlines.answer_claim_by, received_at)
    if by is None:
        by = policies.calendar(order.storefront).after_calendar_days(received_at, _DAYS)
    row = {
        "claim_id": claim_id,
        "order_id": order.order_id,
        "storefront": order.storefront,
        "buyer_id": order.buyer_id,
        "reference": reference,
        "channel": channel,
        "received_at": received_at,
        "answer_by": by,
    }
    await tx.insert(claims, [row], on_conflict="")
    event = ClaimReceived(
        order_id=order.order_id,
        order_number=order.order_number,
        storefront=order.storefront,
        buyer_id=order.buyer_id,
        claim_id=claim_id,
        received_at=received_at,
        answer_by=by,
    )
    tx.publish(event, trace=trace)
    tx.schedule(CLAIM_DUE, str(claim_id), due_at=by + timedelta(seconds=1), trace=trace)
    audit = Audit(tx, who)
    audit.add("claim_received", order_id=order.order_id, claim_id=str(claim_id), answer_by=by.isoformat())
    await audit.write()
    return (await tx.execute(_FIND, claim=claim_id)).one(), True


async def answer_claim(tx: Tx, claim_id: UUID, who: str) -> bool:
    """Keep that a claim was answered; False where there is no open one of this id."""
    order_id = (await tx.execute(_ANSWER, claim=claim_id, who=who, now=tx.now)).scalar()
    if order_id is None:
        return False
    audit = Audit(tx, who)
    audit.add("claim_answered", order_id=order_id, claim_id=str(claim_id))
    await audit.write()
    return True


async def open_claims(tx: Tx) -> Sequence[Any]:
    """The queue, the most urgent first."""
    return (await tx.execute(_QUEUE)).all()


async def missed_claims(tx: Tx, metrics: CaseMetrics, due: Sequence[UUID]) -> None:
    """Tell of claims whose time is over unanswered."""
    audit = Audit(tx, "system")
    for claim in await tx.execute(_MISSED, claims=sorted(due), now=tx.now):
        metrics.missed.labels(claim.storefront, "claim").inc()
        log.error("deadline_missed", claim_id=str(claim.claim_id), storefront=claim.storefront, kind="claim")
        audit.add("deadline_missed", order_id=claim.order_id, kind="claim", claim_id=str(claim.claim_id))
    await audit.write()
