"""Refunds in the database: what is intended, what may be promised, what became of it. Amounts in minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.contracts import Money, RefundFailed, RefundSettled
from shared.database import Tx


@dataclass(slots=True, frozen=True, kw_only=True)
class Intent:
    """One intended refund as it stands. `fresh`: stored just now, so that no call can have been made before."""

    amount: int = 0
    currency: str = ""
    external_id: str = ""
    transaction_id: str = ""
    invoice_id: int = 0
    captured: int = 0
    owed: int = 0
    fresh: bool = False
    ended: bool = False
    refusal: str = ""
    waits_for: str = ""


#: Refunds of one order take turns.
_LOCK = """
SELECT 1 FROM payment_orders WHERE order_id = (SELECT order_id FROM refunds WHERE refund_id = :refund_id)
FOR NO KEY UPDATE
"""
_READ = """
SELECT r.state, r.amount_minor, r.currency, r.external_id, r.owed_minor, r.order_id,
  o.currency AS paid_currency, o.captured_minor, o.captured_invoice, o.refunded_minor, o.transaction_id,
  EXISTS (SELECT 1 FROM refunds other
          WHERE other.order_id = r.order_id AND other.state = 'calling' AND other.refund_id <> r.refund_id) AS busy
FROM refunds r LEFT JOIN payment_orders o ON o.order_id = r.order_id
WHERE r.refund_id = :refund_id
"""
#: The one place where money is promised: the row's CHECK backs it (total paid out <= total paid in, PO 6.3).
_RESERVE = """
UPDATE payment_orders SET refunded_minor = refunded_minor + :amount
WHERE order_id = :order_id AND captured_minor - refunded_minor >= :amount
RETURNING captured_minor - refunded_minor + :amount AS owed
"""
_CALLING = """
UPDATE refunds SET state = 'calling', owed_minor = :owed, called_at = :now WHERE refund_id = :refund_id
"""
_SETTLED = """
UPDATE refunds SET state = 'settled', ended_at = :now
WHERE refund_id = ANY(CAST(:ids AS uuid[])) AND state = 'calling'
RETURNING refund_id, order_id, order_number, storefront, buyer_id, amount_minor, currency, credited_by
"""
_FAILED = """
WITH ending AS (
  SELECT r.refund_id, r.state, f.failure
  FROM refunds r JOIN unnest(CAST(:ids AS uuid[]), CAST(:failures AS text[])) AS f(refund_id, failure)
    ON f.refund_id = r.refund_id
  WHERE r.state IN ('approved', 'calling') ORDER BY r.refund_id FOR NO KEY UPDATE OF r)
UPDATE refunds r SET state = 'failed', failure = e.failure, ended_at = :now
FROM ending e WHERE r.refund_id = e.refund_id
RETURNING r.refund_id, r.order_id, r.order_number, r.storefront, r.buyer_id, r.amount_minor, r.currency, r.failure,
  e.state = 'calling' AS promised
"""
_RELEASE = """
UPDATE payment_orders o SET refunded_minor = o.refunded_minor - p.amount
FROM (SELECT order_id, sum(amount)::bigint AS amount
      FROM unnest(CAST(:orders AS uuid[]), CAST(:amounts AS bigint[])) AS u(order_id, amount) GROUP BY order_id) AS p
WHERE o.order_id = p.order_id
"""


async def intend(tx: Tx, refund_id: UUID) -> Intent:
    """Store that the bank is about to be asked, and promise the amount; or say why not (yet)."""
    await tx.execute(_LOCK, refund_id=refund_id)
    row = (await tx.execute(_READ, refund_id=refund_id)).one()
    if row.state in ("settled", "failed"):
        return Intent(ended=True)
    if row.captured_invoice is None:
        return Intent(waits_for="no capture of this order is known yet")
    if row.state == "approved":
        if row.busy:
            return Intent(waits_for="another refund of this order is not over")
        if row.currency != row.paid_currency:
            return Intent(refusal="the refund is not in the currency of the payment")
        owed = (await tx.execute(_RESERVE, order_id=row.order_id, amount=row.amount_minor)).scalar()
        if owed is None:
            return Intent(refusal="the refund is larger than what is left of the payment")
        await tx.execute(_CALLING, refund_id=refund_id, owed=owed, now=tx.now)
    else:
        owed = row.owed_minor
    return Intent(
        amount=row.amount_minor,
        currency=row.currency,
        external_id=row.external_id,
        transaction_id=row.transaction_id,
        invoice_id=row.captured_invoice,
        captured=row.captured_minor,
        owed=owed,
        fresh=row.state == "approved",
    )


async def record_settled(tx: Tx, ids: Sequence[UUID], traces: Mapping[UUID, str | None]) -> None:
    """The bank has made these refunds."""
    for row in await tx.execute(_SETTLED, ids=sorted(ids), now=tx.now):
        settled = RefundSettled(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            settled_at=tx.now,
            credited_by=row.credited_by,
        )
        tx.publish(settled, trace=traces[row.refund_id])


async def record_failed(tx: Tx, failures: Mapping[UUID, str], traces: Mapping[UUID, str | None]) -> None:
    """These refunds will not happen by themselves; what was promised for them is free again."""
    ids = sorted(failures)
    rows = (await tx.execute(_FAILED, ids=ids, failures=[failures[one] for one in ids], now=tx.now)).all()
    promised = [row for row in rows if row.promised]
    if promised:
        await tx.execute(
            _RELEASE, orders=[row.order_id for row in promised], amounts=[row.amount_minor for row in promised]
        )
    for row in rows:
        failed = RefundFailed(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            reason=row.failure,
            failed_at=tx.now,
        )
        tx.publish(failed, trace=traces[row.refund_id])
