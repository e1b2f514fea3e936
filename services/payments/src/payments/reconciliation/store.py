"""SQL of the daily comparison: the invoices of a day, progress, and differences. Days are UTC."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from payments.reconciliation.models import PLAN, FinishedDay, FoundDifference, Ours, PlannedInvoice, PlanPayload
from payments.reconciliation.rules import span
from payments.tables import reconciliation_differences
from shared.database import Tx

#: Invoices per planning step.
STEP = 2000

#: For this time after a payment by hand the bank is asked daily whether it has returned the same money as well.
_WATCHED = timedelta(days=40)

#: Invoices that could be paid, were paid, or were to be refunded on that day; and those with a recent payment by hand.
_INVOICES = """
SELECT i.invoice_id, i.order_id, o.order_number, o.price_minor, o.currency FROM (
  SELECT invoice_id, order_id FROM attempts
  WHERE opened_at >= :since AND opened_at < :until AND handed_out_at IS NOT NULL
  UNION
  SELECT invoice_id, order_id FROM ledger
  WHERE posted_at >= :since AND posted_at < :until
    AND kind IN ('capture', 'surplus', 'refund_promised', 'refund_settled', 'hand_promised')
  UNION
  SELECT invoice_id, order_id FROM ledger
  WHERE posted_at >= :watched AND posted_at < :until AND kind = 'hand_paid') i
JOIN payment_orders o ON o.order_id = i.order_id
WHERE i.invoice_id > :after ORDER BY i.invoice_id LIMIT :step
"""
_OURS = """
SELECT
  COALESCE((SELECT sum(amount_minor) FILTER (WHERE debit = 'bank_clearing') FROM ledger
            WHERE order_id = :order_id AND invoice_id = :invoice_id), 0)::bigint AS captured,
  COALESCE((SELECT sum(amount_minor) FILTER (WHERE credit = 'bank_clearing') FROM ledger
            WHERE order_id = :order_id AND invoice_id = :invoice_id), 0)::bigint AS returned,
  COALESCE((SELECT sum(CASE WHEN kind = 'refund_promised' THEN amount_minor ELSE -amount_minor END) FROM ledger
            WHERE order_id = :order_id AND invoice_id = :invoice_id AND kind LIKE 'refund_%'), 0)::bigint AS promised,
  COALESCE((SELECT sum(CASE WHEN kind = 'hand_promised' THEN amount_minor ELSE -amount_minor END) FROM ledger
            WHERE order_id = :order_id AND invoice_id = :invoice_id AND kind IN ('hand_promised', 'hand_released')), 0)
    ::bigint AS by_hand
"""
_STARTED = """
INSERT INTO reconciliations (day, started_at) VALUES (:day, :now) ON CONFLICT (day) DO NOTHING RETURNING day
"""
_AGAIN = """
UPDATE reconciliations SET started_at = :now, planned = 0, compared = 0, finished_at = NULL
WHERE day = :day AND finished_at IS NOT NULL RETURNING day
"""
_COUNTED = """
UPDATE reconciliations r SET planned = r.planned + c.planned, compared = r.compared + c.compared
FROM unnest(CAST(:days AS date[]), CAST(:planned AS int[]), CAST(:compared AS int[])) AS c(day, planned, compared)
WHERE r.day = c.day
"""
#: A day is finished when everything is compared and nothing is left to be planned.
_FINISHED = """
UPDATE reconciliations r SET finished_at = :now
WHERE r.day = ANY(CAST(:days AS date[])) AND r.finished_at IS NULL AND r.compared >= r.planned
  AND NOT EXISTS (SELECT 1 FROM work w WHERE w.kind = 'reconcile' AND w.key LIKE r.day::text || '/%')
RETURNING r.day, r.compared,
  (SELECT count(*) FROM reconciliation_differences d WHERE d.day = r.day) AS differences
"""


async def start(tx: Tx, day: date, *, again: bool = False) -> bool:
    """Start the comparison of a day; False when it runs already, or has run and `again` is not set."""
    started = (await tx.execute(_STARTED, day=day, now=tx.now)).scalar()
    if started is None and again:
        started = (await tx.execute(_AGAIN, day=day, now=tx.now)).scalar()
        await tx.execute("DELETE FROM reconciliation_differences WHERE day = :day", day=started)
    if started is None:
        return False
    plan_from(tx, day, 0)
    return True


def plan_from(tx: Tx, day: date, after: int, trace: str | None = None) -> None:
    """Schedule the planning of a day's invoices above `after`."""
    tx.schedule(PLAN, f"{day}/{after}", PlanPayload(day=day, after=after), trace=trace)


async def invoices(tx: Tx, day: date, after: int) -> Sequence[PlannedInvoice]:
    """The next `STEP` invoices of a day above `after`."""
    since, until = span(day)
    rows = await tx.execute(_INVOICES, since=since, until=until, watched=until - _WATCHED, after=after, step=STEP)
    return [
        PlannedInvoice(row.invoice_id, row.order_id, row.price_minor, row.currency, row.order_number) for row in rows
    ]


async def ours(tx: Tx, order_id: UUID, invoice_id: int) -> Ours:
    """An invoice by our ledger."""
    row = (await tx.execute(_OURS, order_id=order_id, invoice_id=invoice_id)).one()
    return Ours(row.captured, row.returned, row.promised, row.by_hand)


async def count(tx: Tx, planned: Mapping[date, int], compared: Mapping[date, int]) -> Sequence[FinishedDay]:
    """Add to the progress of these days; returns the days that are finished now."""
    days = sorted(planned.keys() | compared.keys())
    await tx.execute(
        _COUNTED,
        days=days,
        planned=[planned.get(day, 0) for day in days],
        compared=[compared.get(day, 0) for day in days],
    )
    finished = await tx.execute(_FINISHED, days=days, now=tx.now)
    return [FinishedDay(row.day, row.compared, row.differences) for row in finished]


async def note(tx: Tx, entries: Sequence[FoundDifference]) -> None:
    """Store differences."""
    rows = [
        {
            "day": entry.day,
            "invoice_id": entry.invoice_id,
            "what": entry.difference.what,
            "order_id": entry.order_id,
            "ours": entry.difference.ours,
            "banks": entry.difference.banks,
            "found_at": tx.now,
        }
        for entry in entries
    ]
    await tx.insert(reconciliation_differences, rows)


async def of_day(tx: Tx, day: date) -> dict[str, Any] | None:
    """The comparison of a day as JSON; None when there was none."""
    head = (await tx.execute("SELECT * FROM reconciliations WHERE day = :day", day=day)).one_or_none()
    if head is None:
        return None
    rows = await tx.execute(
        "SELECT * FROM reconciliation_differences WHERE day = :day ORDER BY invoice_id, what", day=day
    )
    return {
        "day": day.isoformat(),
        "state": "running" if head.finished_at is None else "finished",
        "started_at": head.started_at.isoformat(),
        "finished_at": head.finished_at and head.finished_at.isoformat(),
        "planned": head.planned,
        "compared": head.compared,
        "differences": [
            {
                "invoice_id": str(row.invoice_id),
                "order_id": str(row.order_id),
                "what": row.what,
                "ours": row.ours,
                "banks": row.banks,
            }
            for row in rows
        ],
    }
