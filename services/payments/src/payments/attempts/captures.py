"""How attempts end, in the database: one capture is kept per order (invariant I2), everything else is noted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from payments.attempts.rules.failure_reasons import reason
from payments.attempts.rules.status import StatusAnswer
from payments.ledger.store import COLUMNS
from payments.metrics import PaymentMetrics
from shared.contracts import DuplicateCharged, Money, OrderPaid, PaymentFailed, Plan
from shared.database import Tx
from shared.ids import uuid_for


@dataclass(slots=True, frozen=True)
class Ended:
    """An attempt and the answer that ended it."""

    order_id: UUID
    invoice_id: int
    answer: StatusAnswer
    trace: str | None


#: Whoever finds the order without a capture keeps it; a second one finds the column filled.
_KEEP = f"""
WITH kept AS (
UPDATE payment_orders o SET captured_minor = o.price_minor, captured_invoice = c.invoice_id,
  transaction_id = c.transaction_id, paid_at = :now
FROM unnest(CAST(:orders AS uuid[]), CAST(:invoices AS bigint[]), CAST(:transactions AS text[]))
  AS c(order_id, invoice_id, transaction_id)
WHERE o.order_id = c.order_id AND o.captured_invoice IS NULL
RETURNING o.order_id, o.order_number, o.storefront, o.buyer_id, o.kind, o.iccid, o.plan, o.price_minor, o.currency,
  o.captured_invoice
), posted AS (
INSERT INTO ledger ({COLUMNS})
SELECT order_id, 'capture', captured_invoice::text, :now, storefront, captured_invoice, 'bank_clearing', 'buyer_funds',
  price_minor, currency FROM kept WHERE price_minor > 0
)
SELECT * FROM kept
"""
_KEPT = "SELECT order_id, captured_invoice FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[]))"
_CAPTURED = """
UPDATE attempts a SET state = c.state, transaction_id = c.transaction_id, settled_at = :now
FROM unnest(CAST(:invoices AS bigint[]), CAST(:states AS text[]), CAST(:transactions AS text[]))
  AS c(invoice_id, state, transaction_id)
WHERE a.invoice_id = c.invoice_id AND a.state NOT IN ('captured', 'duplicate')
RETURNING a.invoice_id, a.state, a.transaction_id
"""
_SURPLUS = f"""
WITH surplus AS (
INSERT INTO surplus_charges (charge_id, order_id, invoice_id, transaction_id, amount_minor, currency, captured_at)
SELECT c.charge_id, o.order_id, a.invoice_id, a.transaction_id, o.price_minor, o.currency, :now
FROM unnest(CAST(:charges AS uuid[]), CAST(:invoices AS bigint[])) AS c(charge_id, invoice_id)
JOIN attempts a ON a.invoice_id = c.invoice_id AND a.state = 'duplicate'
JOIN payment_orders o ON o.order_id = a.order_id
ON CONFLICT DO NOTHING
RETURNING charge_id, order_id, invoice_id, amount_minor, currency
), posted AS (
INSERT INTO ledger ({COLUMNS})
SELECT s.order_id, 'surplus', s.invoice_id::text, :now, o.storefront, s.invoice_id, 'bank_clearing',
  'duplicate_payable', s.amount_minor, s.currency
FROM surplus s JOIN payment_orders o ON o.order_id = s.order_id WHERE s.amount_minor > 0
)
SELECT s.charge_id, s.invoice_id, s.amount_minor, s.currency, o.order_id, o.order_number, o.storefront, o.buyer_id
FROM surplus s JOIN payment_orders o ON o.order_id = s.order_id
"""
_FAILED = """
UPDATE attempts a SET state = 'failed', reason_code = c.reason_code, transaction_id = c.transaction_id,
  settled_at = :now
FROM unnest(CAST(:invoices AS bigint[]), CAST(:codes AS int[]), CAST(:transactions AS text[]))
  AS c(invoice_id, reason_code, transaction_id), payment_orders o
WHERE a.invoice_id = c.invoice_id AND a.state IN ('open', 'expired') AND o.order_id = a.order_id
RETURNING a.invoice_id, o.order_id, o.order_number, o.storefront, o.buyer_id
"""
_LAPSED = """
UPDATE attempts SET state = 'expired', settled_at = :now
WHERE invoice_id = ANY(CAST(:invoices AS bigint[])) AND state = 'open'
"""
#: The timer has nothing left to ask. One that is in hand just now ends by itself.
_NO_MORE_POLLS = "DELETE FROM work WHERE kind = 'poll' AND key = ANY(:keys) AND owner IS NULL"


async def record_captured(tx: Tx, ended: Sequence[Ended], metrics: PaymentMetrics) -> None:
    """Keep the first capture of each order and say so; note and announce every other one, which is to go back."""
    first: dict[UUID, Ended] = {}
    for one in sorted(ended, key=lambda one: one.invoice_id):
        first.setdefault(one.order_id, one)
    chosen = [first[order_id] for order_id in sorted(first)]
    kept = await tx.execute(
        _KEEP,
        orders=[one.order_id for one in chosen],
        invoices=[one.invoice_id for one in chosen],
        transactions=[one.answer.transaction_id for one in chosen],
        now=tx.now,
    )
    await _announce_kept(tx, kept.all(), {order_id: one.trace for order_id, one in first.items()})
    states = await _states(tx, ended, {row.order_id: row.captured_invoice for row in kept})
    noted = await tx.execute(
        _CAPTURED,
        invoices=[one.invoice_id for one in ended],
        states=[states[one.invoice_id] for one in ended],
        transactions=[one.answer.transaction_id for one in ended],
        now=tx.now,
    )
    surplus = {row.invoice_id: row.transaction_id for row in noted if row.state == "duplicate"}
    metrics.captures.labels("kept").inc(noted.rowcount - len(surplus))
    metrics.captures.labels("duplicate").inc(len(surplus))
    if surplus:
        await record_surplus(tx, surplus, {one.invoice_id: one.trace for one in ended})
    await _stop_polling(tx, ended)


async def _announce_kept(tx: Tx, rows: Sequence[Any], traces: Mapping[UUID, str | None]) -> None:
    """What follows, in the same transaction, from captures that are now kept. `rows`: what `_KEEP` returns."""
    for row in rows:
        tx.publish(_order_paid(row, tx), trace=traces[row.order_id])


async def record_surplus(tx: Tx, surplus: Mapping[int, str], traces: Mapping[int, str | None]) -> None:
    """Post and publish second captures, by invoice id with their transaction id; once each (RF 2.4)."""
    invoices = sorted(surplus)
    charges = [uuid_for("surplus charge", surplus[invoice_id]) for invoice_id in invoices]
    for row in await tx.execute(_SURPLUS, charges=charges, invoices=invoices, now=tx.now):
        charged = DuplicateCharged(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            charge_id=row.charge_id,
            invoice_id=str(row.invoice_id),
            amount=Money(amount=row.amount_minor, currency=row.currency),
            captured_at=tx.now,
        )
        tx.publish(charged, trace=traces[row.invoice_id])


async def record_failed(tx: Tx, ended: Sequence[Ended]) -> None:
    """Note failed attempts and publish PaymentFailed, once each; the order can be paid by another attempt."""
    by_invoice = {one.invoice_id: one for one in ended}
    found = await tx.execute(
        _FAILED,
        invoices=list(by_invoice),
        codes=[one.answer.reason_code for one in by_invoice.values()],
        transactions=[one.answer.transaction_id for one in by_invoice.values()],
        now=tx.now,
    )
    for row in found:
        one = by_invoice[row.invoice_id]
        why = reason(one.answer.reason_code, one.answer.status)
        failed = PaymentFailed(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            invoice_id=str(row.invoice_id),
            reason_code=one.answer.reason_code,
            reason=why.en,
            reason_ru=why.ru,
            failed_at=tx.now,
        )
        tx.publish(failed, trace=one.trace)
    await _stop_polling(tx, ended)


async def record_lapsed(tx: Tx, ended: Sequence[Ended]) -> None:
    """Attempts that nobody paid in time. A payment that still arrives is honoured: its webhook asks again."""
    await tx.execute(_LAPSED, invoices=[one.invoice_id for one in ended], now=tx.now)


async def _states(tx: Tx, ended: Sequence[Ended], kept: dict[UUID, int]) -> dict[int, str]:
    """`captured` for the capture an order keeps, `duplicate` for any other; reads only what was kept before."""
    others = {one.order_id for one in ended} - kept.keys()
    if others:
        rows = await tx.execute(_KEPT, orders=sorted(others))
        kept = kept | {row.order_id: row.captured_invoice for row in rows}
    return {one.invoice_id: "captured" if kept.get(one.order_id) == one.invoice_id else "duplicate" for one in ended}


async def _stop_polling(tx: Tx, ended: Iterable[Ended]) -> None:
    await tx.execute(_NO_MORE_POLLS, keys=sorted(str(one.invoice_id) for one in ended))


def _order_paid(row: Any, tx: Tx) -> OrderPaid:
    return OrderPaid(
        order_id=row.order_id,
        order_number=row.order_number,
        storefront=row.storefront,
        buyer_id=row.buyer_id,
        kind=row.kind,
        iccid=row.iccid,
        plan=Plan.model_validate(row.plan),
        paid=Money(amount=row.price_minor, currency=row.currency),
        invoice_id=str(row.captured_invoice),
        paid_at=tx.now,
    )
