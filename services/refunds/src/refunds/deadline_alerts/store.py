"""Finds deadlines that come near and stores which of them were announced."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any

from refunds.tables import deadline_alerts
from shared.database import Tx

#: Ends of our patience with another system: when they come, the case goes to a person. Nobody can act before.
PATIENCE = ("observation", "revocation")
_MOST = 500
#: Deadlines within the shop's time that were not announced yet. What is over is reported as missed instead.
_NEAR = f"""
SELECT f.order_id, f.order_number, f.storefront, f.buyer_id, d.subject_id, d.kind, d.due_at, d.trace, d.is_claim
FROM (
  SELECT case_id AS subject_id, order_id, due_kind AS kind, due_at, trace, false AS is_claim FROM cases
  WHERE closed_at IS NULL AND due_at > :now AND due_at <= :until AND due_kind <> ALL(:patience)
  UNION ALL
  SELECT claim_id, order_id, 'claim', answer_by, NULL, true FROM claims
  WHERE answered_at IS NULL AND answer_by > :now AND answer_by <= :until
) d JOIN order_facts f USING (order_id)
WHERE f.storefront = :storefront AND NOT EXISTS (
    SELECT FROM deadline_alerts a WHERE a.subject_id = d.subject_id AND a.kind = d.kind AND a.due_at = d.due_at)
ORDER BY d.due_at, d.subject_id LIMIT {_MOST}
"""
_DELETE_PAST = "DELETE FROM deadline_alerts WHERE due_at < :before"
_KEEP = timedelta(days=30)


async def near(tx: Tx, storefront: str, within: timedelta) -> Sequence[Any]:
    """The shop's deadlines of this time that nobody was told of, the nearest first: `subject_id` of a case or claim."""
    values = {"storefront": storefront, "now": tx.now, "until": tx.now + within, "patience": list(PATIENCE)}
    return (await tx.execute(_NEAR, **values)).all()


async def mark(tx: Tx, deadlines: Collection[Any]) -> set[tuple[Any, ...]]:
    """Store that these are announced. Returns those that no other instance has stored: (subject, kind, due_at)."""
    rows = [
        {"subject_id": one.subject_id, "kind": one.kind, "due_at": one.due_at, "alerted_at": tx.now}
        for one in deadlines
    ]
    stored = await tx.insert(deadline_alerts, rows, returning="subject_id, kind, due_at")
    return {(one.subject_id, one.kind, one.due_at) for one in stored}


async def delete_past(tx: Tx) -> None:
    """Delete what was stored about deadlines that passed a month ago."""
    await tx.execute(_DELETE_PAST, before=tx.now - _KEEP)
