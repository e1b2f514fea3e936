"""SQL of fiscal receipts: what is to be issued, and what was issued."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from payments.clients.models import Issued, Tax, Wanted
from payments.metrics import ReceiptMetrics
from payments.receipts.models import PendingReceipt
from shared.contracts import Money, ReceiptIssued, order_fields
from shared.database import Tx

_READ = """
SELECT r.kind, r.number, r.order_number, r.title, r.amount_minor, r.currency, r.cashbox, r.issued_at,
  s.check_number, COALESCE(NULLIF(s.registration_number, ''), (
    SELECT k.registration_number FROM receipts k
    WHERE k.cashbox = s.cashbox AND k.registration_number <> '' LIMIT 1), '') AS registration_number,
  s.fiscal_time, s.ticket_url, s.amount_minor AS sold_minor, s.offline,
  s.issued_at AS sold_at, c.email, c.phone, q.waiting, q.oldest
FROM receipts r
LEFT JOIN receipts s ON s.order_id = r.order_id AND s.kind = 'sale' AND r.kind = 'sale_return'
LEFT JOIN contacts c ON c.buyer_id = r.buyer_id AND :contact
CROSS JOIN LATERAL (SELECT count(*) AS waiting, min(born_at) AS oldest FROM receipts
                    WHERE storefront = r.storefront AND issued_at IS NULL) q
WHERE r.receipt_id = :receipt_id
"""
_REQUEST = """
UPDATE receipts SET cashbox = :cashbox, asked_at = COALESCE(asked_at, :now) WHERE receipt_id = :receipt_id
"""
_ISSUED = """
UPDATE receipts r SET check_number = d.check_number, registration_number = d.registration_number,
  fiscal_time = d.fiscal_time, ticket_url = d.ticket_url, offline = d.offline, issued_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:checks AS text[]), CAST(:registrations AS text[]), CAST(:times AS text[]),
            CAST(:urls AS text[]), CAST(:offline AS boolean[]))
  AS d(receipt_id, check_number, registration_number, fiscal_time, ticket_url, offline)
WHERE r.receipt_id = d.receipt_id AND r.issued_at IS NULL
RETURNING r.receipt_id, r.order_id, r.order_number, r.storefront, r.buyer_id, r.kind, r.refund_id, r.amount_minor,
  r.currency, r.check_number, r.ticket_url
"""
_QUEUES = """
SELECT s.storefront, count(r.receipt_id) AS waiting, min(r.born_at) AS oldest
FROM unnest(CAST(:storefronts AS text[])) AS s(storefront)
LEFT JOIN receipts r ON r.storefront = s.storefront AND r.issued_at IS NULL GROUP BY s.storefront
"""


async def read(tx: Tx, receipt_id: UUID, tax: Tax, *, contact: bool) -> PendingReceipt:
    """A receipt and, for a return, its sale; `contact`: with the buyer's e-mail and telephone."""
    row = (await tx.execute(_READ, receipt_id=receipt_id, contact=contact)).one()
    basis = None
    if row.sold_at is not None:
        basis = Issued(
            check_number=row.check_number,
            registration_number=row.registration_number,
            fiscal_time=row.fiscal_time,
            ticket_url=row.ticket_url,
            total=row.sold_minor,
            offline=row.offline,
        )
    wanted = Wanted(
        kind=row.kind,
        number=row.number,
        order_number=row.order_number,
        title=row.title,
        amount=row.amount_minor,
        tax=tax,
        basis=basis,
        email=row.email or "",
        phone=row.phone or "",
    )
    return PendingReceipt(
        wanted=wanted,
        currency=row.currency,
        waiting=row.waiting,
        oldest=row.oldest,
        requested_at=row.cashbox,
        issued=row.issued_at is not None,
        waits_for_sale=row.kind == "sale_return" and basis is None,
    )


async def intend_request(tx: Tx, receipt_id: UUID, cashbox: str) -> None:
    """Store that this register is about to be asked to issue the receipt."""
    await tx.execute(_REQUEST, receipt_id=receipt_id, cashbox=cashbox, now=tx.now)


async def record_issued(
    tx: Tx, issued: Mapping[UUID, Issued], traces: Mapping[UUID, str | None], metrics: ReceiptMetrics
) -> None:
    """Store issued receipts and publish ReceiptIssued, once each."""
    ids = sorted(issued)
    rows = (
        await tx.execute(
            _ISSUED,
            ids=ids,
            checks=[issued[key].check_number for key in ids],
            registrations=[issued[key].registration_number for key in ids],
            times=[issued[key].fiscal_time for key in ids],
            urls=[issued[key].ticket_url for key in ids],
            offline=[issued[key].offline for key in ids],
            now=tx.now,
        )
    ).all()
    for row in rows:
        tx.publish(_event(row, tx), trace=traces[row.receipt_id])
    for row in await tx.execute(_QUEUES, storefronts=sorted({row.storefront for row in rows})):
        metrics.queue(row.storefront, row.waiting, row.oldest)


def _event(row: Any, tx: Tx) -> ReceiptIssued:
    return ReceiptIssued(
        **order_fields(row),
        receipt_id=row.receipt_id,
        kind=row.kind,
        amount=Money(amount=row.amount_minor, currency=row.currency),
        check_number=row.check_number,
        ticket_url=row.ticket_url,
        refund_id=row.refund_id,
        issued_at=tx.now,
    )


_OF_ORDER = """
SELECT r.receipt_id, r.kind, r.refund_id, r.number, r.amount_minor, r.currency, r.cashbox, r.check_number, r.ticket_url,
  r.born_at, r.issued_at, w.state, w.attempts, w.last_error
FROM payment_orders o
LEFT JOIN receipts r ON r.order_id = o.order_id
LEFT JOIN work w ON w.kind = 'receipt:' || r.storefront AND w.key = r.receipt_id::text
WHERE o.order_id = :order_id ORDER BY r.born_at, r.kind
"""
#: `unknown`, because the register may have issued it: its history is searched first.
_RETRY = """
UPDATE work SET state = 'unknown', due_at = :now
WHERE key = :key AND kind LIKE 'receipt:%' AND state = 'parked' RETURNING id
"""


async def of_order(tx: Tx, order_id: UUID) -> Sequence[Any]:
    """The receipts of an order; one row without a receipt where the order has none, no row without the order."""
    return (await tx.execute(_OF_ORDER, order_id=order_id)).all()


async def retry_parked(tx: Tx, receipt_id: UUID) -> bool:
    """Let the task of a receipt that waits for a person be performed again; False where it does not wait."""
    return (await tx.execute(_RETRY, key=str(receipt_id), now=tx.now)).scalar() is not None
