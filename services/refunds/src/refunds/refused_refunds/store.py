"""Stores actions on refused refunds, and what payments reports about each attempt.

The highest attempt, the least amount left and the first answer win. So the result does not depend on the order of the
events, nor on repeated ones.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from refunds.refused_refunds.rules import OpenAction, RefusedRefund
from refunds.tables import refund_actions
from shared.contracts import RefundActionAnswered, RefundFailed, RefundPaidByHand, RefundRetried
from shared.database import Tx

_ATTEMPTED = """
INSERT INTO refund_outcomes AS o (refund_id, order_id, failed_attempt, retried_attempt, left_minor, last_failure,
  bank_code, last_failed_at)
VALUES (:refund_id, :order_id, :failed, :retried, :left, :failure, :code, :failed_at)
ON CONFLICT (refund_id) DO UPDATE SET
  last_failure = CASE WHEN EXCLUDED.failed_attempt >= COALESCE(o.failed_attempt, 0)
    THEN EXCLUDED.last_failure ELSE o.last_failure END,
  bank_code = CASE WHEN EXCLUDED.failed_attempt >= COALESCE(o.failed_attempt, 0)
    THEN EXCLUDED.bank_code ELSE o.bank_code END,
  last_failed_at = CASE WHEN EXCLUDED.failed_attempt >= COALESCE(o.failed_attempt, 0)
    THEN EXCLUDED.last_failed_at ELSE o.last_failed_at END,
  failed_attempt = GREATEST(o.failed_attempt, EXCLUDED.failed_attempt),
  retried_attempt = GREATEST(o.retried_attempt, EXCLUDED.retried_attempt),
  left_minor = LEAST(o.left_minor, EXCLUDED.left_minor)
"""
#: A refused action has ended, and so has an accepted retry. An accepted payment ends with the answer to its decision.
_ANSWERED = """
UPDATE refund_actions SET answered_at = :at, accepted = :accepted, refusal = :reason,
  ended_at = CASE WHEN kind = 'retry' OR NOT :accepted THEN :at END
WHERE action_id = :id AND answered_at IS NULL
RETURNING case_id, order_id, kind
"""
_DECISION_ANSWERED = """
UPDATE refund_actions SET decision_answered_at = :at, decision_accepted = :accepted, decision_refusal = :reason,
  ended_at = COALESCE(ended_at, :at)
WHERE decision_id = :id AND decision_answered_at IS NULL
RETURNING case_id, order_id, kind
"""
_READ = """
SELECT c.refund_id, COALESCE(o.last_failed_at, o.failed_at) AS failed_at,
  COALESCE(o.last_failure, o.failure) AS failure,
  COALESCE(o.failed_attempt, 1) AS attempts, COALESCE(o.left_minor, c.amount_minor) AS left_minor, c.currency,
  COALESCE(o.retried_attempt > COALESCE(o.failed_attempt, 1), false) AS under_way, o.settled_at, o.bank_code,
  a.action_id, a.kind, a.requested_by, a.requested_at, a.amount_minor AS acted_minor, a.way, a.reference, a.accepted,
  a.decided_by
FROM cases c JOIN refund_outcomes o ON o.refund_id = c.refund_id
LEFT JOIN refund_actions a ON a.refund_id = c.refund_id AND a.ended_at IS NULL
WHERE c.case_id = :case_id AND COALESCE(o.last_failed_at, o.failed_at) IS NOT NULL
"""
_HISTORY = "SELECT * FROM refund_actions WHERE case_id = :case_id ORDER BY requested_at, action_id"
_DECIDE = """
UPDATE refund_actions SET decision_id = :decision_id, decided_by = :who, decided_at = :now, confirmed = :confirmed
WHERE action_id = :id AND decided_by IS NULL AND ended_at IS NULL
"""


async def read(tx: Tx, case_id: UUID) -> RefusedRefund | None:
    """The case's refund where the bank has refused it; None where it has not."""
    row = (await tx.execute(_READ, case_id=case_id)).one_or_none()
    if row is None:
        return None
    action = None
    if row.action_id is not None:
        action = OpenAction(
            action_id=row.action_id,
            kind=row.kind,
            requested_by=row.requested_by,
            requested_at=row.requested_at,
            amount_minor=row.acted_minor,
            way=row.way,
            reference=row.reference,
            accepted=bool(row.accepted),
            decided_by=row.decided_by,
        )
    return RefusedRefund(
        refund_id=row.refund_id,
        failed_at=row.failed_at,
        failure=row.failure or "no reason was given",
        attempts=row.attempts,
        left_minor=row.left_minor,
        currency=row.currency,
        under_way=row.under_way,
        settled=row.settled_at is not None,
        bank_code=row.bank_code,
        open=action,
    )


async def history(tx: Tx, case_id: UUID) -> Sequence[Any]:
    """All actions on the case's refund, oldest first."""
    return (await tx.execute(_HISTORY, case_id=case_id)).all()


async def find_action(tx: Tx, action_id: UUID) -> Any:
    """The action with this key, or None."""
    return (await tx.execute("SELECT * FROM refund_actions WHERE action_id = :id", id=action_id)).one_or_none()


async def add(tx: Tx, row: Mapping[str, Any]) -> None:
    """Store a new action. A second open action of the same refund violates an index."""
    await tx.insert(refund_actions, [row], on_conflict="")


async def decide(tx: Tx, payment_id: UUID, decision_id: UUID, who: str, *, confirmed: bool) -> None:
    """Store the decision of a second person; a CHECK refuses the same person."""
    await tx.execute(_DECIDE, id=payment_id, decision_id=decision_id, who=who, confirmed=confirmed, now=tx.now)


async def keep_failed(tx: Tx, event: RefundFailed) -> None:
    """Store that the bank refused an attempt."""
    left = None if event.left is None else event.left.amount
    await _attempted(
        tx,
        event,
        failed=event.attempt or 1,
        left=left,
        failure=event.reason,
        code=event.bank_code,
        failed_at=event.failed_at,
    )


async def keep_retried(tx: Tx, event: RefundRetried) -> None:
    """Store that an attempt is under way."""
    await _attempted(tx, event, retried=event.attempt)


async def keep_paid_by_hand(tx: Tx, event: RefundPaidByHand) -> None:
    """Store that less is owed."""
    await _attempted(tx, event, left=event.left.amount)


async def keep_answer(tx: Tx, event: RefundActionAnswered) -> Any:
    """Store the answer to an action. Returns the row of the action, or None where it was answered before."""
    for statement in (_ANSWERED, _DECISION_ANSWERED):
        found = await tx.execute(
            statement, id=event.action_id, at=event.answered_at, accepted=event.accepted, reason=event.reason
        )
        if (row := found.one_or_none()) is not None:
            return row
    return None


async def case_of_refund(tx: Tx, refund_id: UUID) -> UUID | None:
    """The case that the refund belongs to."""
    case_id: UUID | None = (await tx.execute("SELECT case_id FROM cases WHERE refund_id = :id", id=refund_id)).scalar()
    return case_id


async def _attempted(
    tx: Tx,
    event: RefundFailed | RefundRetried | RefundPaidByHand,
    *,
    failed: int | None = None,
    retried: int | None = None,
    left: int | None = None,
    failure: str | None = None,
    code: int | None = None,
    failed_at: datetime | None = None,
) -> None:
    await tx.execute(
        _ATTEMPTED,
        refund_id=event.refund_id,
        order_id=event.order_id,
        failed=failed,
        retried=retried,
        left=left,
        failure=failure,
        code=code,
        failed_at=failed_at,
    )
