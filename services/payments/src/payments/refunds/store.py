"""Refunds in the database: what is intended, what may be promised, what became of it. Amounts in minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.ledger.store import COLUMNS, post_late
from payments.refunds.rules.crediting import PROMISES, window
from shared.contracts import Money, RefundFailed, RefundRetried, RefundSettled
from shared.database import Tx

#: Epay takes cards only (PO 4.2).
METHOD = "card"
#: States in which no attempt is under way.
ENDED = frozenset({"settled", "failed", "paid_by_hand"})


@dataclass(slots=True, frozen=True)
class Failure:
    """Why an attempt failed; `code` is the bank's own, None where the bank was not asked."""

    reason: str
    code: int | None = None


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
    #: Counts from 1. Before a later attempt the bank is always asked how the payment stands.
    attempt: int = 1
    #: When the bank was asked last, or is about to be.
    called_at: datetime | None = None
    ended: bool = False
    refusal: str = ""
    waits_for: str = ""
    #: Said instead of `waits_for` when it has waited too long.
    unless: str = ""


#: Refunds of one order take turns.
_LOCK = """
SELECT 1 FROM payment_orders WHERE order_id = (SELECT order_id FROM refunds WHERE refund_id = :refund_id)
FOR NO KEY UPDATE
"""
#: The capture that is to go back: the surplus one that the refund names, or the one that the order keeps.
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
#: The one place where money is promised: CHECKs back it (total paid out <= total paid in, PO 6.3), and so does the
#: ledger, which lets no account be overdrawn.
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
#: Of one promise of a refund: each attempt has its own.
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
SELECT refund_id, order_id, order_number, storefront, buyer_id, amount_minor, currency, charge_id, credited_from,
  credited_by, credited_at_latest, hand_minor
FROM settled
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
#: Back to where it was taken from; to revenue where the order's funds have become revenue meanwhile.
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


#: Refunds of the same orders have waited for their turn.
_WAKE = """
UPDATE work SET due_at = :now
WHERE kind = 'refund' AND owner IS NULL AND state = 'due' AND key IN (
  SELECT w.refund_id::text FROM refunds w JOIN refunds over ON over.order_id = w.order_id
  WHERE over.refund_id = ANY(CAST(:ids AS uuid[])) AND w.state = 'approved')
"""


async def intend(tx: Tx, refund_id: UUID) -> Intent:
    """Store that the bank is about to be asked, and promise the amount; or say why not (yet)."""
    await tx.execute(_LOCK, refund_id=refund_id)
    row = (await tx.execute(_READ, refund_id=refund_id)).one()
    if row.state in ENDED:
        return Intent(ended=True)
    if row.invoice_id is None:
        waits_for = "no capture of this order is known yet" if row.charge_id is None else "that charge is not known yet"
        return Intent(waits_for=waits_for, unless="there is no payment that could be refunded")
    owed = row.owed_minor
    if row.state == "approved":
        if row.busy:
            return Intent(waits_for="another refund of this order is not over")
        if refusal := _refusal(row):
            return Intent(refusal=refusal)
        owed = await _promise(tx, refund_id, row)
        if owed is None:
            return Intent(refusal="the refund is larger than what is left of the payment")
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
        called_at=tx.now if row.state == "approved" else row.called_at,
    )


async def call_again(tx: Tx, refund_id: UUID) -> None:
    """Store that the bank is about to be asked once more."""
    await tx.execute(
        "UPDATE refunds SET called_at = :now WHERE refund_id = :refund_id", now=tx.now, refund_id=refund_id
    )


async def record_settled(tx: Tx, ids: Sequence[UUID], traces: Mapping[UUID, str | None]) -> None:
    """The bank has made these refunds: post and publish them, with the days of their arrival (RP 3, RC 3, RF 5.3)."""
    storefronts = sorted({storefront for storefront, method in PROMISES if method == METHOD})
    windows = [window(storefront, METHOD, tx.now) for storefront in storefronts]
    settled = await tx.execute(
        _SETTLED,
        ids=sorted(ids),
        now=tx.now,
        storefronts=storefronts,
        firsts=[one and one.first for one in windows],
        usuals=[one and one.usual for one in windows],
        latests=[one and one.latest for one in windows],
    )
    await tx.execute(_WAKE, ids=sorted(ids), now=tx.now)
    await _announce_settled(tx, settled.all(), traces)


async def _announce_settled(tx: Tx, rows: Sequence[Any], traces: Mapping[UUID, str | None]) -> None:
    """What follows, in the same transaction, from refunds that are settled now. `rows`: what `_SETTLED` returns."""
    for row in rows:
        settled = RefundSettled(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            refund_id=row.refund_id,
            amount=Money(amount=row.amount_minor, currency=row.currency),
            settled_at=tx.now,
            credited_from=row.credited_from,
            credited_by=row.credited_by,
            credited_at_latest=row.credited_at_latest,
            method=METHOD,
            charge_id=row.charge_id,
            paid_by_hand=Money(amount=row.hand_minor, currency=row.currency) if row.hand_minor else None,
        )
        tx.publish(settled, trace=traces[row.refund_id])


async def record_failed(tx: Tx, failures: Mapping[UUID, Failure], traces: Mapping[UUID, str | None]) -> None:
    """These refunds will not happen by themselves; what was promised for them is free again."""
    ids = sorted(failures)
    reasons, codes = [failures[one].reason for one in ids], [failures[one].code for one in ids]
    rows = (await tx.execute(_FAILED, ids=ids, failures=reasons, codes=codes, now=tx.now)).all()
    promised = sorted(row.refund_id for row in rows if row.promised)
    if promised:
        for statement in (_RELEASE, _RELEASE_SURPLUS):
            await tx.execute(statement, ids=promised)
        await tx.execute(_RELEASED, ids=promised, now=tx.now)
        await tx.execute(_WAKE, ids=promised, now=tx.now)
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
            charge_id=row.charge_id,
            attempt=row.attempt,
            bank_code=row.bank_code,
            left=Money(amount=row.amount_minor - row.hand_minor, currency=row.currency),
        )
        tx.publish(failed, trace=traces[row.refund_id])


def _refusal(row: Any) -> str:
    if row.charge_id is not None and row.charged_order != row.order_id:
        return "the charge belongs to another order"
    if row.currency != row.paid_currency:
        return "the refund is not in the currency of the payment"
    return ""


async def _promise(tx: Tx, refund_id: UUID, row: Any) -> int | None:
    """Reserve and post the amount; returns what was left before, None when that is less."""
    await post_late(tx, [row.order_id])
    if row.charge_id is None:
        owed: int | None = (await tx.execute(_RESERVE, order_id=row.order_id, amount=row.amount_minor)).scalar()
        funds = "revenue" if row.recognised else "buyer_funds"
    else:
        owed = (await tx.execute(_RESERVE_SURPLUS, charge_id=row.charge_id, amount=row.amount_minor)).scalar()
        funds = "duplicate_payable"
    if owed is not None:
        owed += row.by_hand  # the bank does not know of what persons paid: it still holds that much
        await tx.execute(_CALLING, refund_id=refund_id, owed=owed, funds=funds, invoice_id=row.invoice_id, now=tx.now)
    return owed


_AGAIN = """
UPDATE refunds SET state = 'approved', attempt = attempt + 1, ended_at = NULL
WHERE refund_id = :refund_id AND state = 'failed'
RETURNING refund_id, order_id, order_number, storefront, buyer_id, amount_minor - hand_minor AS amount_minor, currency,
  attempt, charge_id
"""


async def try_again(tx: Tx, refund_id: UUID) -> RefundRetried | None:
    """Make a refused refund due for another attempt; the fact to be published, or None when it is not refused."""
    row = (await tx.execute(_AGAIN, refund_id=refund_id)).one_or_none()
    if row is None:
        return None
    return RefundRetried(
        order_id=row.order_id,
        order_number=row.order_number,
        storefront=row.storefront,
        buyer_id=row.buyer_id,
        refund_id=row.refund_id,
        attempt=row.attempt,
        amount=Money(amount=row.amount_minor, currency=row.currency),
        retried_at=tx.now,
        charge_id=row.charge_id,
    )


_TAKE_FOR_GOOD = """
DELETE FROM work WHERE kind = 'refund' AND key = :key AND state = 'parked' AND owner IS NULL
  AND EXISTS (SELECT 1 FROM refunds WHERE refund_id = :refund_id AND state = 'calling')
RETURNING trace
"""
_TAKE_TO_REPEAT = """
UPDATE work SET state = 'due', due_at = :now WHERE kind = 'refund' AND key = :key AND state = 'parked'
  AND owner IS NULL AND EXISTS (SELECT 1 FROM refunds WHERE refund_id = :refund_id AND state = 'calling')
RETURNING trace
"""


async def take_parked(tx: Tx, refund_id: UUID, *, for_good: bool) -> Any:
    """Take a refund that waits for a person out of its park: for good, or to be called again. None: it does not wait.

    The row (`trace`) tells which trace goes on.
    """
    if for_good:
        return (await tx.execute(_TAKE_FOR_GOOD, key=str(refund_id), refund_id=refund_id)).one_or_none()
    return (await tx.execute(_TAKE_TO_REPEAT, key=str(refund_id), refund_id=refund_id, now=tx.now)).one_or_none()
