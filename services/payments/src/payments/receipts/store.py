"""Receipts in the database: one sale for the capture that is kept, one return for each of its settled refunds.

A surplus capture (RF 2.4) is no sale: it goes back without a receipt of either kind. The register's number for a
receipt follows from the order or the refund, so that every intended receipt has one key for ever.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.clients.webkassa.receipts import Issued, ReceiptKind, Tax, Wanted
from payments.receipts.metrics import FiscalMetrics
from payments.tables import receipts
from shared.contracts import Money, OrderPaid, ReceiptIssued, RefundSettled
from shared.database import Tx
from shared.ids import uuid_for


def kind_of(storefront: str) -> str:
    """The kind of work of a storefront's receipts: each has a lane of its own."""
    return f"receipt:{storefront}"


#: A refund of an order that was sold before its storefront had a register has nothing to name as its basis.
_RETURNS = """
INSERT INTO receipts (receipt_id, order_id, order_number, storefront, buyer_id, kind, refund_id, number, title,
  amount_minor, currency, born_at)
SELECT r.receipt_id, r.order_id, s.order_number, s.storefront, s.buyer_id, 'sale_return', r.refund_id, r.number,
  s.title, r.amount, s.currency, :now
FROM unnest(CAST(:receipts AS uuid[]), CAST(:orders AS uuid[]), CAST(:refunds AS uuid[]), CAST(:numbers AS text[]),
            CAST(:amounts AS bigint[])) AS r(receipt_id, order_id, refund_id, number, amount)
JOIN receipts s ON s.order_id = r.order_id AND s.kind = 'sale'
ON CONFLICT DO NOTHING RETURNING receipt_id
"""


class ReceiptBook:
    """Rides in every transaction: whatever announces a payment or a refund intends its receipt in the same commit.

    A participant (shared.database), to stand before the task worker, because it schedules work. Storefronts without a
    register cost no statement.
    """

    def __init__(self, storefronts: Collection[str], metrics: FiscalMetrics) -> None:
        self._storefronts = frozenset(storefronts)
        self._metrics = metrics

    async def before_commit(self, tx: Tx) -> None:
        """Intend a sale receipt for each OrderPaid, a return for each RefundSettled of what OrderPaid told."""
        sold: dict[UUID, tuple[OrderPaid, str | None]] = {}
        returned: dict[UUID, tuple[RefundSettled, str | None]] = {}
        for outgoing in tx.outgoing:
            event = outgoing.event
            if not isinstance(event, OrderPaid | RefundSettled) or event.storefront not in self._storefronts:
                continue
            if isinstance(event, OrderPaid):
                if event.paid.amount:
                    sold[_id("sale", event.order_id)] = event, outgoing.trace
            elif event.charge_id is None:
                returned[_id("sale_return", event.refund_id)] = event, outgoing.trace
        if sold:
            await self._sold(tx, sold)
        if returned:
            await self._returned(tx, returned)

    def after_commit(self, tx: Tx) -> None:
        """The task worker hands out what was scheduled."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing was kept outside the transaction."""

    async def _sold(self, tx: Tx, sold: Mapping[UUID, tuple[OrderPaid, str | None]]) -> None:
        rows = [_sale(receipt_id, sold[receipt_id][0], tx) for receipt_id in sorted(sold)]
        for made in await tx.insert(receipts, rows, returning="receipt_id"):
            event, trace = sold[made.receipt_id]
            tx.schedule(kind_of(event.storefront), str(made.receipt_id), trace=trace)

    async def _returned(self, tx: Tx, returned: Mapping[UUID, tuple[RefundSettled, str | None]]) -> None:
        ids = sorted(returned)
        events = [returned[receipt_id][0] for receipt_id in ids]
        made = await tx.execute(
            _RETURNS,
            receipts=ids,
            orders=[event.order_id for event in events],
            refunds=[event.refund_id for event in events],
            numbers=[f"return-{event.refund_id.hex}" for event in events],
            amounts=[event.amount.amount for event in events],
            now=tx.now,
        )
        new = set(made.scalars())
        for receipt_id, event in zip(ids, events, strict=True):
            if receipt_id in new:
                tx.schedule(kind_of(event.storefront), str(receipt_id), trace=returned[receipt_id][1])
            else:
                self._metrics.outcomes.labels(event.storefront, "no_sale").inc()


@dataclass(slots=True, frozen=True)
class Intent:
    """A receipt as it stands. `asked` is the register that may have been asked before; None: none was."""

    wanted: Wanted
    currency: str
    waiting: int
    oldest: datetime | None
    asked: str | None
    issued: bool = False
    #: Of a return: its sale has no receipt yet.
    waits: bool = False


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
_ASKING = """
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


async def read(tx: Tx, receipt_id: UUID, tax: Tax, *, contact: bool) -> Intent:
    """A receipt and, for a return, its basis; the buyer's contact only where the register is to have it."""
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
    return Intent(
        wanted=wanted,
        currency=row.currency,
        waiting=row.waiting,
        oldest=row.oldest,
        asked=row.cashbox,
        issued=row.issued_at is not None,
        waits=row.kind == "sale_return" and basis is None,
    )


async def asking(tx: Tx, receipt_id: UUID, cashbox: str) -> None:
    """Store that this register is about to be asked for it."""
    await tx.execute(_ASKING, receipt_id=receipt_id, cashbox=cashbox, now=tx.now)


async def record_issued(
    tx: Tx, issued: Mapping[UUID, Issued], traces: Mapping[UUID, str | None], metrics: FiscalMetrics
) -> None:
    """Keep what the register said and publish ReceiptIssued, once each."""
    ids = sorted(issued)
    rows = (
        await tx.execute(
            _ISSUED,
            ids=ids,
            checks=[issued[one].check_number for one in ids],
            registrations=[issued[one].registration_number for one in ids],
            times=[issued[one].fiscal_time for one in ids],
            urls=[issued[one].ticket_url for one in ids],
            offline=[issued[one].offline for one in ids],
            now=tx.now,
        )
    ).all()
    for row in rows:
        tx.publish(_event(row, tx), trace=traces[row.receipt_id])
    for row in await tx.execute(_QUEUES, storefronts=sorted({row.storefront for row in rows})):
        metrics.queue(row.storefront, row.waiting, row.oldest)


def _event(row: Any, tx: Tx) -> ReceiptIssued:
    return ReceiptIssued(
        order_id=row.order_id,
        order_number=row.order_number,
        storefront=row.storefront,
        buyer_id=row.buyer_id,
        receipt_id=row.receipt_id,
        kind=row.kind,
        amount=Money(amount=row.amount_minor, currency=row.currency),
        check_number=row.check_number,
        ticket_url=row.ticket_url,
        refund_id=row.refund_id,
        issued_at=tx.now,
    )


def _sale(receipt_id: UUID, event: OrderPaid, tx: Tx) -> dict[str, Any]:
    return {
        "receipt_id": receipt_id,
        "order_id": event.order_id,
        "order_number": event.order_number,
        "storefront": event.storefront,
        "buyer_id": event.buyer_id,
        "kind": "sale",
        "number": f"sale-{event.order_id.hex}",
        "title": event.plan.title,
        "amount_minor": event.paid.amount,
        "currency": event.paid.currency,
        "born_at": tx.now,
    }


def _id(kind: ReceiptKind, of: UUID) -> UUID:
    return uuid_for("receipt", kind, str(of))
