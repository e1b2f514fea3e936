"""The system's own cases: an order that was paid and whose profile failed gets its money back without being asked."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from refunds.domain import Decision, PaidOrder, decide_generation_failure
from refunds.domain.cases import GENERATION_FAILED
from refunds.tables import cases
from shared.contracts import Money, OrderEvent, RefundApproved, RefundRequested
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received
from shared.telemetry.logging import get_logger

log = get_logger(__name__)

#: Both facts are there and nobody has claimed the case: whichever fact came second finds it, exactly once.
_CLAIM = """
UPDATE order_facts SET case_opened_at = :now
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND failed_at IS NOT NULL AND case_opened_at IS NULL
  AND paid_at IS NOT NULL
RETURNING order_id, order_number, storefront, buyer_id, paid_at, paid_minor, currency, failed_at
"""


async def open_due_cases(tx: Tx, batch: Sequence[Received[OrderEvent]]) -> None:
    """Open and decide the cases that became due with this batch: RefundRequested and RefundApproved together."""
    traces = {received.event.order_id: received.trace for received in batch}
    claimed = (await tx.execute(_CLAIM, orders=sorted(traces), now=tx.now)).all()
    rows = []
    for order in claimed:
        facts = PaidOrder(
            order_number=order.order_number,
            storefront=order.storefront,
            paid=Money(amount=order.paid_minor, currency=order.currency),
            paid_at=order.paid_at,
            failed_at=order.failed_at,
        )
        decision = decide_generation_failure(facts, tx.now)
        case_id, refund_id = case_ids(order.order_id, GENERATION_FAILED)
        rows.append(_row(order.order_id, case_id, refund_id, decision, tx))
        for event in _events(order, case_id, refund_id, decision, tx):
            tx.publish(event, trace=traces[order.order_id])
        if decision is None:
            log.warning("case_needs_person", order_id=str(order.order_id), storefront=order.storefront)
    await tx.insert(cases, rows)


def case_ids(order_id: UUID, ground: str) -> tuple[UUID, UUID]:
    """Case and refund id of an order and a ground: always the same, so that no replay can intend a second refund."""
    return uuid_for("case", str(order_id), ground), uuid_for("refund", str(order_id), ground)


def _events(
    order: Any, case_id: UUID, refund_id: UUID, decision: Decision | None, tx: Tx
) -> Sequence[RefundRequested | RefundApproved]:
    about = {
        "order_id": order.order_id,
        "order_number": order.order_number,
        "storefront": order.storefront,
        "buyer_id": order.buyer_id,
        "case_id": case_id,
    }
    requested = RefundRequested(**about, reason=GENERATION_FAILED, origin="system", requested_at=tx.now)
    if decision is None:
        return [requested]
    approved = RefundApproved(
        **about,
        refund_id=refund_id,
        amount=decision.amount,
        policy=decision.policy,
        grounds=decision.grounds,
        explanation=decision.explanation,
        approved_at=tx.now,
        pay_by=decision.pay_by,
        credited_by=decision.credited_by,
    )
    return [requested, approved]


def _row(order_id: UUID, case_id: UUID, refund_id: UUID, decision: Decision | None, tx: Tx) -> dict[str, Any]:
    row: dict[str, Any] = {
        "case_id": case_id,
        "order_id": order_id,
        "ground": GENERATION_FAILED,
        "origin": "system",
        "requested_at": tx.now,
    }
    if decision is None:
        return row | dict.fromkeys(_DECIDED)
    return row | {
        "verdict": "approve",
        "decided_at": tx.now,
        "refund_id": refund_id,
        "amount_minor": decision.amount.amount,
        "currency": decision.amount.currency,
        "policy": decision.policy,
        "grounds": [ground.model_dump() for ground in decision.grounds],
        "explanation": decision.explanation.model_dump(),
        "pay_by": decision.pay_by,
        "credited_by": decision.credited_by,
    }


_DECIDED = (
    "verdict",
    "decided_at",
    "refund_id",
    "amount_minor",
    "currency",
    "policy",
    "grounds",
    "explanation",
    "pay_by",
    "credited_by",
)
