"""Intends receipts: one sale for the capture that an order keeps, one sale return for each settled refund of it.

A surplus capture (RF 2.4) is no sale: it gets no receipt, and neither does its refund. The register's number of a
receipt is derived from the order or the refund, so that every receipt has one key for ever.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

from payments.clients.models import ReceiptKind
from payments.metrics import ReceiptMetrics
from payments.receipts.models import kind_of
from payments.tables import receipts
from shared.contracts import OrderPaid, RefundSettled, order_fields
from shared.database import Tx
from shared.ids import uuid_for

#: An order that was sold before its storefront had a register has no sale receipt, which a return has to name.
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


class ReceiptIntents:
    """Adds receipts to every transaction that publishes OrderPaid or RefundSettled, so that none is ever left out.

    A participant (shared.database). It has to be placed before the task worker, because it schedules tasks.
    Storefronts without a register cost no statement.
    """

    def __init__(self, storefronts: Collection[str], metrics: ReceiptMetrics) -> None:
        self._storefronts = frozenset(storefronts)
        self._metrics = metrics

    async def before_commit(self, tx: Tx) -> None:
        """Store a sale for each OrderPaid and a return for each RefundSettled of a kept capture, with their tasks."""
        sold: list[tuple[OrderPaid, str | None]] = []
        returned: dict[UUID, tuple[RefundSettled, str | None]] = {}
        for outgoing in tx.outgoing:
            event = outgoing.event
            if not isinstance(event, OrderPaid | RefundSettled) or event.storefront not in self._storefronts:
                continue
            if isinstance(event, OrderPaid):
                sold.append((event, outgoing.trace))
            elif event.charge_id is None:
                returned[_id("sale_return", event.refund_id)] = event, outgoing.trace
        await self.add_sales(tx, sold)
        if returned:
            await self._returned(tx, returned)

    async def add_sales(self, tx: Tx, paid: Iterable[tuple[OrderPaid, str | None]]) -> None:
        """Store a sale for each of these, with the trace that it continues; one that is stored stays as it is."""
        sold = {
            _id("sale", event.order_id): (event, trace)
            for event, trace in paid
            if event.storefront in self._storefronts and event.paid.amount
        }
        if sold:
            await self._sold(tx, sold)

    def after_commit(self, tx: Tx) -> None:
        """Do nothing: the task worker distributes the tasks."""

    def after_rollback(self, tx: Tx) -> None:
        """Do nothing: nothing is kept outside the transaction."""

    async def _sold(self, tx: Tx, sold: Mapping[UUID, tuple[OrderPaid, str | None]]) -> None:
        rows = [_sale(receipt_id, sold[receipt_id][0], tx) for receipt_id in sorted(sold)]
        for row in await tx.insert(receipts, rows, returning="receipt_id"):
            event, trace = sold[row.receipt_id]
            tx.schedule(kind_of(event.storefront), str(row.receipt_id), trace=trace)

    async def _returned(self, tx: Tx, returned: Mapping[UUID, tuple[RefundSettled, str | None]]) -> None:
        ids = sorted(returned)
        events = [returned[receipt_id][0] for receipt_id in ids]
        inserted = await tx.execute(
            _RETURNS,
            receipts=ids,
            orders=[event.order_id for event in events],
            refunds=[event.refund_id for event in events],
            numbers=[f"return-{event.refund_id.hex}" for event in events],
            amounts=[event.amount.amount for event in events],
            now=tx.now,
        )
        new = set(inserted.scalars())
        for receipt_id, event in zip(ids, events, strict=True):
            if receipt_id in new:
                tx.schedule(kind_of(event.storefront), str(receipt_id), trace=returned[receipt_id][1])
            else:
                self._metrics.outcomes.labels(event.storefront, "no_sale").inc()


def _sale(receipt_id: UUID, event: OrderPaid, tx: Tx) -> dict[str, Any]:
    return {
        "receipt_id": receipt_id,
        **order_fields(event),
        "kind": "sale",
        "number": f"sale-{event.order_id.hex}",
        "title": event.plan.title,
        "amount_minor": event.paid.amount,
        "currency": event.paid.currency,
        "born_at": tx.now,
    }


def _id(kind: ReceiptKind, of: UUID) -> UUID:
    return uuid_for("receipt", kind, str(of))
