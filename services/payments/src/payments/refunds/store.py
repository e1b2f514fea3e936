"""SQL of refunds: what may be promised, and how refunds end. Amounts in minor units."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.ledger import COLUMNS, post_late
from payments.refunds.models import Ended, Failure, Impossible, Intent, Waiting
from payments.refunds.rules.crediting import window
from shared.contracts import Money, RefundFailed, RefundRetried, RefundSettled, order_fields
from shared.database import Tx
from shared.shops.reading import Shops

#: Epay takes cards only (PO 4.2).
METHOD = "card"
#: States in which no attempt is under way.
_ENDED = frozenset({"settled", "failed", "paid_by_hand"})


#: Locks the order: its refunds are decided one after the other.
_LOCK = """
SELECT 1 FROM payment_orders WHERE order_id = (SELECT order_id FROM refunds WHERE refund_id = :refund_id)
FOR NO KEY UPDATE
"""
#: The capture that is returned: the surplus one that the refund names, or the one that the order keeps.
_READ = """
SELECT r.state, r.amount_minor - r.hand_minor AS amount_minor, r.currency, r.external_id, r.owed_minor, r.order_id,
  r.charge_id, r.called_at, r.attempt,
  (SELECT COALESCE(sum(h.hand_minor), 0)::bigint FROM refunds h
   WHERE h.order_id = r.order_id AND h.charge_id IS NOT DISTINCT FROM r.charge_id) AS by_hand,
  COALESCE(s.currency, o.currency) AS paid_currency,
  CASE WHEN r.charge_id IS NULL THEN o.captured_minor ELSE s.amount_minor END AS captured_minor,
  CASE WHEN r.charge_id IS NULL THEN o.captured_invoice ELSE s.invoice_id END AS invoice_id,
  CASE WHEN r.charge_id IS NULL THEN o.transaction_id ELSE s.transaction_id END AS transaction_id,
  s.order_id AS charged_order,
  EXISTS (SELECT 1 FROM ledger l WHERE l.order_id = r.order_id AND l.kind = 'revenue') AS recognised,
  EXISTS (SELECT 1 FROM refunds other
          WHERE other.order_id = r.order_id AND other.state = 'calling' AND other.refund_id <> r.refund_id) AS busy
FROM refunds r LEFT JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.refund_id = :refund_id
"""
#: Promises money of a capture. CHECKs repeat the rule (total paid out <= total paid in, PO 6.3), and so does the
#: ledger, which refuses to overdraw an account.
_RESERVE = """
UPDATE payment_orders SET refunded_minor = refunded_minor + :amount
WHERE order_id = :order_id AND captured_minor - refunded_minor >= :amount
RETURNING captured_minor - refunded_minor + :amount AS owed
"""
_RESERVE_SURPLUS = """
UPDATE surplus_charges SET refunded_minor = refunded_minor + :amount
WHERE charge_id = :charge_id AND amount_minor - refunded_minor >= :amount
RETURNING amount_minor - refunded_minor + :amount AS owed
"""
#: The ledger key of one promise: each attempt has its own.
_KEY = "refund_id::text || CASE WHEN attempt = 1 THEN '' ELSE '/' || attempt END"
_CALLING = f"""
WITH calling AS (
UPDATE refunds SET state = 'calling', owed_minor = :owed, funds = :funds, called_at = :now WHERE refund_id = :refund_id
RETURNING refund_id, order_id, storefront, funds, amount_minor - hand_minor AS amount_minor, currency, attempt
)
INSERT INTO ledger ({COLUMNS})
SELECT order_id, 'refund_promised', {_KEY}, :now, storefront, :invoice_id, funds, 'refunds_payable',
  amount_minor, currency
FROM calling
"""
_SETTLED = f"""
WITH settled AS (
UPDATE refunds r SET state = 'settled', ended_at = :now, credited_from = w.first,
  credited_by = COALESCE(w.usual, r.credited_by), credited_at_latest = w.latest
FROM refunds before
LEFT JOIN unnest(CAST(:storefronts AS text[]), CAST(:firsts AS date[]), CAST(:usuals AS date[]),
  CAST(:latests AS date[])) AS w(storefront, first, usual, latest) ON w.storefront = before.storefront
WHERE before.refund_id = r.refund_id AND r.refund_id = ANY(CAST(:ids AS uuid[])) AND r.state = 'calling'
RETURNING r.*
), posted AS (
INSERT INTO ledger ({COLUMNS})
SELECT r.order_id, 'refund_settled', r.refund_id::text, :now, r.storefront,
  COALESCE(s.invoice_id, o.captured_invoice), 'refunds_payable', 'bank_clearing', r.amount_minor - r.hand_minor,
  r.currency
FROM settled r JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
)
SELECT r.refund_id, r.order_id, r.order_number, r.storefront, r.buyer_id, r.amount_minor, r.currency, r.charge_id,
  r.credited_from, r.credited_by, r.credited_at_latest, r.hand_minor,
  CASE WHEN r.charge_id IS NULL THEN o.captured_minor - o.refunded_minor END AS remaining_minor
FROM settled r LEFT JOIN payment_orders o ON o.order_id = r.order_id
"""
_FAILED = """
WITH ending AS (
  SELECT r.refund_id, r.state, f.failure, f.code
  FROM refunds r JOIN unnest(CAST(:ids AS uuid[]), CAST(:failures AS text[]), CAST(:codes AS int[]))
    AS f(refund_id, failure, code) ON f.refund_id = r.refund_id
  WHERE r.state IN ('approved', 'calling') ORDER BY r.refund_id FOR NO KEY UPDATE OF r)
UPDATE refunds r SET state = 'failed', failure = e.failure, bank_code = e.code, ended_at = :now,
  refused_at = COALESCE(r.refused_at, :now)
FROM ending e WHERE r.refund_id = e.refund_id
RETURNING r.refund_id, r.order_id, r.order_number, r.storefront, r.buyer_id, r.amount_minor, r.currency, r.failure,
  r.charge_id, r.attempt, r.bank_code, r.hand_minor, e.state = 'calling' AS promised
"""
_RELEASE = """
UPDATE payment_orders o SET refunded_minor = o.refunded_minor - p.amount
FROM (SELECT order_id, sum(amount_minor - hand_minor) FILTER (WHERE charge_id IS NULL) AS amount
      FROM refunds WHERE refund_id = ANY(CAST(:ids AS uuid[])) GROUP BY order_id) AS p
WHERE o.order_id = p.order_id AND p.amount IS NOT NULL
"""
_RELEASE_SURPLUS = """
UPDATE surplus_charges s SET refunded_minor = s.refunded_minor - p.amount
FROM (SELECT charge_id, sum(amount_minor - hand_minor) AS amount FROM refunds
      WHERE refund_id = ANY(CAST(:ids AS uuid[])) AND charge_id IS NOT NULL GROUP BY charge_id) AS p
WHERE s.charge_id = p.charge_id
"""
#: Returns a promise to the account that it was taken from, or to revenue where the funds became revenue meanwhile.
_RELEASED = f"""
INSERT INTO ledger ({COLUMNS})
SELECT r.order_id, 'refund_released', {_KEY.replace("refund_id", "r.refund_id")}, :now, r.storefront,
  COALESCE(s.invoice_id, o.captured_invoice), 'refunds_payable',
  CASE WHEN r.charge_id IS NULL AND EXISTS (SELECT 1 FROM ledger l WHERE l.order_id = r.order_id AND l.kind = 'revenue')
    THEN 'revenue' ELSE r.funds END,
  r.amount_minor - r.hand_minor, r.currency
FROM refunds r JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.refund_id = ANY(CAST(:ids AS uuid[]))
"""


#: Refunds of the same orders that waited for this one are due now.
_WAKE = """
UPDATE work SET due_at = :now
WHERE kind = 'refund' AND owner IS NULL AND state = 'due' AND key IN (
  SELECT w.refund_id::text FROM refunds w JOIN refunds over ON over.order_id = w.order_id
  WHERE over.refund_id = ANY(CAST(:ids AS uuid[])) AND w.state = 'approved')
"""


async def lock_order(tx: Tx, refund_id: UUID) -> None:
    """Lock the order of this refund until the commit."""
    await tx.execute(_LOCK, refund_id=refund_id)


async def reserve(tx: Tx, *, order_id: UUID, charge_id: UUID | None, amount: int) -> int | None:
    """Promise money of the surplus charge, or of the capture that the order keeps.

    Returns what was left before; None, and nothing is promised, where that is less than the amount.
    """
    if charge_id is None:
        reserved = await tx.execute(_RESERVE, order_id=order_id, amount=amount)
    else:
        reserved = await tx.execute(_RESERVE_SURPLUS, charge_id=charge_id, amount=amount)
    left: int | None = reserved.scalar()
    return left


async def intend(tx: Tx, refund_id: UUID) -> Intent | Waiting | Impossible | Ended:
    """Promise the amount and store that the bank is about to be called, where that is possible now."""
    await lock_order(tx, refund_id)
    row = (await tx.execute(_READ, refund_id=refund_id)).one()
    if row.state in _ENDED:
        return Ended()
    if row.invoice_id is None:
        reason = "no capture of this order is known yet" if row.charge_id is None else "that charge is not known yet"
        return Waiting(reason, give_up_reason="there is no payment that could be refunded")
    owed = row.owed_minor
    if row.state == "approved":
        if row.busy:
            return Waiting("another refund of this order is not over")
        if (impossible := _impossible(row)) is not None:
            return impossible
        owed = await _promise(tx, refund_id, row)
        if owed is None:
            return Impossible("the refund is larger than what is left of the payment")
    return Intent(
        amount=row.amount_minor,
        currency=row.currency,
        external_id=row.external_id,
        transaction_id=row.transaction_id,
        invoice_id=row.invoice_id,
        captured=row.captured_minor,
        owed=owed,
        fresh=row.state == "approved",
        attempt=row.attempt,
        called_at=tx.now if row.state == "approved" else row.called_at or tx.now,
    )


async def call_again(tx: Tx, refund_id: UUID) -> None:
    """Store that the bank is about to be called once more."""
    await tx.execute(
        "UPDATE refunds SET called_at = :now WHERE refund_id = :refund_id", now=tx.now, refund_id=refund_id
    )


async def record_settled(tx: Tx, ids: Sequence[UUID], traces: Mapping[UUID, str | None], shops: Shops) -> None:
    """Post and publish refunds that the bank has made, with the days of their arrival (RP 3, RC 3, RF 5.3)."""
    windows = [window(shop, METHOD, tx.now) for shop in shops.values()]
    settled_rows = await tx.execute(
        _SETTLED,
        ids=sorted(ids),
        now=tx.now,
        storefronts=list(shops),
        firsts=[days and days.first for days in windows],
        usuals=[days and days.usual for days in windows],
        latests=[days and days.latest for days in windows],
    )
    await tx.execute(_WAKE, ids=sorted(ids), now=tx.now)
    for row in settled_rows:
        event = RefundSettled(
            **order_fields(row),
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            settled_at=tx.now,
            credited_from=row.credited_from,
            credited_by=row.credited_by,
            credited_at_latest=row.credited_at_latest,
            method=METHOD,
            charge_id=row.charge_id,
            paid_by_hand=Money(amount=row.hand_minor, currency=row.currency) if row.hand_minor else None,
            remaining_payment=None
            if row.remaining_minor is None
            else Money(amount=row.remaining_minor, currency=row.currency),
        )
        tx.publish(event, trace=traces[row.refund_id])


async def record_failed(tx: Tx, failures: Mapping[UUID, Failure], traces: Mapping[UUID, str | None]) -> None:
    """Record and publish failed refunds, and release what was promised for them."""
    ids = sorted(failures)
    reasons, codes = [failures[key].reason for key in ids], [failures[key].code for key in ids]
    rows = (await tx.execute(_FAILED, ids=ids, failures=reasons, codes=codes, now=tx.now)).all()
    promised = sorted(row.refund_id for row in rows if row.promised)
    if promised:
        for statement in (_RELEASE, _RELEASE_SURPLUS):
            await tx.execute(statement, ids=promised)
        await tx.execute(_RELEASED, ids=promised, now=tx.now)
        await tx.execute(_WAKE, ids=promised, now=tx.now)
    for row in rows:
        failed = RefundFailed(
            **order_fields(row),
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            reason=row.failure,
            failed_at=tx.now,
            charge_id=row.charge_id,
            attempt=row.attempt,
            bank_code=row.bank_code,
            left=Money(amount=row.amount_minor - row.hand_minor, currency=row.currency),
        )
        tx.publish(failed, trace=traces[row.refund_id])


def _impossible(row: Any) -> Impossible | None:
    if row.charge_id is not None and row.charged_order != row.order_id:
        return Impossible("the charge belongs to another order")
    if row.currency != row.paid_currency:
        return Impossible("the refund is not in the currency of the payment")
    return None


async def _promise(tx: Tx, refund_id: UUID, row: Any) -> int | None:
    """Reserve and post the amount; returns what was left before, None where that is less than the amount."""
    await post_late(tx, [row.order_id])
    left = await reserve(tx, order_id=row.order_id, charge_id=row.charge_id, amount=row.amount_minor)
    if left is None:
        return None
    owed: int = left + row.by_hand  # the bank still holds what persons paid by hand
    funds = "duplicate_payable" if row.charge_id is not None else "revenue" if row.recognised else "buyer_funds"
    await tx.execute(_CALLING, refund_id=refund_id, owed=owed, funds=funds, invoice_id=row.invoice_id, now=tx.now)
    return owed


_AGAIN = """
UPDATE refunds SET state = 'approved', attempt = attempt + 1, ended_at = NULL
WHERE refund_id = :refund_id AND state = 'failed'
RETURNING refund_id, order_id, order_number, storefront, buyer_id, amount_minor - hand_minor AS amount_minor, currency,
  attempt, charge_id
"""


async def try_again(tx: Tx, refund_id: UUID) -> RefundRetried | None:
    """Begin another attempt of a refused refund; returns the event to publish, None where the refund is not refused."""
    row = (await tx.execute(_AGAIN, refund_id=refund_id)).one_or_none()
    if row is None:
        return None
    return RefundRetried(
        **order_fields(row),
        refund_id=row.refund_id,
        attempt=row.attempt,
        amount=Money(amount=row.amount_minor, currency=row.currency),
        retried_at=tx.now,
        charge_id=row.charge_id,
    )


_REMOVE_PARKED = """
DELETE FROM work WHERE kind = 'refund' AND key = :key AND state = 'parked' AND owner IS NULL
  AND EXISTS (SELECT 1 FROM refunds WHERE refund_id = :refund_id AND state = 'calling')
RETURNING trace
"""
_REPEAT_PARKED = """
UPDATE work SET state = 'due', due_at = :now WHERE kind = 'refund' AND key = :key AND state = 'parked'
  AND owner IS NULL AND EXISTS (SELECT 1 FROM refunds WHERE refund_id = :refund_id AND state = 'calling')
RETURNING trace
"""


async def take_parked(tx: Tx, refund_id: UUID, *, settled: bool) -> Any:
    """Take back the task of a refund that waits for a person: `settled` removes it, otherwise it is due again.

    Returns a row with the task's `trace`; None where the refund does not wait for a person.
    """
    if settled:
        return (await tx.execute(_REMOVE_PARKED, key=str(refund_id), refund_id=refund_id)).one_or_none()
    return (await tx.execute(_REPEAT_PARKED, key=str(refund_id), refund_id=refund_id, now=tx.now)).one_or_none()


_WARNED = """
UPDATE refunds SET warned_at = :now
WHERE state IN ('approved', 'calling') AND pay_by <= :soon AND warned_at IS NULL
RETURNING refund_id, order_id, storefront, pay_by
"""
_MISSED = """
UPDATE refunds SET missed_at = :now
WHERE state IN ('approved', 'calling') AND pay_by <= :now AND missed_at IS NULL
RETURNING refund_id, order_id, storefront, pay_by
"""
_BY_DATE = """
SELECT count(*) FILTER (WHERE pay_by > :now) AS soon, count(*) FILTER (WHERE pay_by <= :now) AS overdue
FROM refunds WHERE state IN ('approved', 'calling') AND pay_by <= :soon
"""


async def mark_warned(tx: Tx, soon: datetime) -> Sequence[Any]:
    """Mark refunds not made whose promised date is before `soon`; returns those not marked before."""
    return (await tx.execute(_WARNED, now=tx.now, soon=soon)).all()


async def mark_missed(tx: Tx) -> Sequence[Any]:
    """Mark refunds not made whose promised date has passed; returns those not marked before."""
    return (await tx.execute(_MISSED, now=tx.now)).all()


async def count_by_date(tx: Tx, soon: datetime) -> Any:
    """Refunds not made: `soon`, whose date is before that moment, and `overdue`, whose date has passed."""
    return (await tx.execute(_BY_DATE, now=tx.now, soon=soon)).one()
