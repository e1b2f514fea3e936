"""How attempts end, in the database: one capture is kept per order (invariant I2), everything else is noted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from payments.domain.reasons import sentence
from payments.domain.status import StatusAnswer
from payments.metrics import PaymentMetrics
from payments.work.duplicates import DUPLICATE
from shared.contracts import Money, OrderPaid, PaymentFailed, Plan
from shared.database import Tx


@dataclass(slots=True, frozen=True)
class Ended:
    """An attempt and the answer that ended it."""

    order_id: UUID
    invoice_id: int
    answer: StatusAnswer
    trace: str | None


#: Whoever finds the order without a capture keeps it; a second one finds the column filled.
_KEEP = """
UPDATE payment_orders o SET captured_minor = o.price_minor, captured_invoice = c.invoice_id,
  transaction_id = c.transaction_id, paid_at = :now
FROM unnest(CAST(:orders AS uuid[]), CAST(:invoices AS bigint[]), CAST(:transactions AS text[]))
  AS c(order_id, invoice_id, transaction_id)
WHERE o.order_id = c.order_id AND o.captured_invoice IS NULL
RETURNING o.order_id, o.order_number, o.storefront, o.buyer_id, o.kind, o.iccid, o.plan, o.price_minor, o.currency,
  o.captured_invoice
"""
_KEPT = "SELECT order_id, captured_invoice FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[]))"
_CAPTURED = """
UPDATE attempts a SET state = c.state, transaction_id = c.transaction_id, settled_at = :now
FROM unnest(CAST(:invoices AS bigint[]), CAST(:states AS text[]), CAST(:transactions AS text[]))
  AS c(invoice_id, state, transaction_id)
WHERE a.invoice_id = c.invoice_id AND a.state NOT IN ('captured', 'duplicate')
RETURNING a.invoice_id, a.state
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
    """Keep the first capture of each order and publish OrderPaid; note and park every other one."""
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
    paid = {row.order_id: row for row in kept}
    for order_id, row in paid.items():
        tx.publish(_order_paid(row, tx), trace=first[order_id].trace)
    states = await _states(tx, ended, {order_id: row.captured_invoice for order_id, row in paid.items()})
    noted = await tx.execute(
        _CAPTURED,
        invoices=[one.invoice_id for one in ended],
        states=[states[one.invoice_id] for one in ended],
        transactions=[one.answer.transaction_id for one in ended],
        now=tx.now,
    )
    traces = {one.invoice_id: one.trace for one in ended}
    for row in noted:
        metrics.captures.labels("kept" if row.state == "captured" else "duplicate").inc()
        if row.state == "duplicate":
            tx.schedule(DUPLICATE, str(row.invoice_id), trace=traces[row.invoice_id])
    await _stop_polling(tx, ended)


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
        failed = PaymentFailed(
            order_id=row.order_id,
            order_number=row.order_number,
            storefront=row.storefront,
            buyer_id=row.buyer_id,
            invoice_id=str(row.invoice_id),
            reason_code=one.answer.reason_code,
            reason=sentence(one.answer.reason_code, one.answer.status),
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
