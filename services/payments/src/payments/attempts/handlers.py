"""Facts of other services, applied to our tables; a constant number of statements per batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from payments.attempts.store import new_attempt
from payments.attempts.tasks import CHECK, check_payload
from payments.refunds.tasks import REFUND
from payments.tables import attempts, contacts, payment_orders, refunds
from shared.contracts import BuyerContact, OrderPlaced, RefundApproved
from shared.database import Tx
from shared.messaging.consumer import Handler, Received, Tombstone

_NEWEST_WINS = """
ON CONFLICT (buyer_id) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone,
  language = EXCLUDED.language, updated_at = EXCLUDED.updated_at
WHERE contacts.updated_at < EXCLUDED.updated_at
"""


@dataclass(slots=True, frozen=True)
class Lapse:
    """How long an order may stay unpaid: usually, and at storefronts that have a time of their own."""

    usual: timedelta
    by_storefront: Mapping[str, timedelta]

    def of(self, storefront: str) -> timedelta:
        return self.by_storefront.get(storefront, self.usual)


def order_placed(*, pay_at_once: bool, lapse: Lapse) -> Handler:
    """Handle order-placed; `pay_at_once` asks the bank right away (the instant adapter has no payment page)."""

    async def handle(tx: Tx, batch: Sequence[Received[OrderPlaced]]) -> None:
        opened = await _open_orders(tx, batch, lapse)
        if pay_at_once:
            by_order = {received.event.order_id: received for received in batch}
            for order_id, invoice_id in opened.items():
                received = by_order[order_id]
                payload = check_payload(order_id, received.event.price.amount, received.event.price.currency)
                tx.schedule(CHECK, str(invoice_id), payload, trace=received.trace)

    return handle


async def buyer_contact(tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
    """Keep the newest contact data of each buyer."""
    newest: dict[UUID, BuyerContact] = {}
    for received in batch:
        known = newest.get(received.event.buyer_id)
        if known is None or known.updated_at < received.event.updated_at:
            newest[received.event.buyer_id] = received.event
    columns = [column.name for column in contacts.columns]
    rows = [{name: getattr(newest[buyer_id], name) for name in columns} for buyer_id in sorted(newest)]
    await tx.insert(contacts, rows, on_conflict=_NEWEST_WINS)


async def buyer_erased(tx: Tx, batch: Sequence[Tombstone]) -> None:
    """Delete contact data (PP 6.2)."""
    await tx.execute(
        "DELETE FROM contacts WHERE buyer_id = ANY(CAST(:keys AS uuid[]))",
        keys=sorted({UUID(tombstone.key) for tombstone in batch}),
    )


async def refund_approved(tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
    """Store each intended refund under its key, and what is to be done; once per refund, however often it is told."""
    rows = {received.event.refund_id: _refund(received.event) for received in batch}
    made = await tx.insert(refunds, [rows[key] for key in sorted(rows)], returning="refund_id")
    new = {row.refund_id for row in made}
    for received in batch:
        if received.event.refund_id in new:
            tx.schedule(REFUND, str(received.event.refund_id), trace=received.trace)


async def _open_orders(tx: Tx, batch: Sequence[Received[OrderPlaced]], lapse: Lapse) -> dict[UUID, int]:
    """Payment orders with their first attempt; returns the invoice ids of those that are new."""
    orders = {
        received.event.order_id: _order(received)
        # A chore looks at each moment once: an order that is heard of late lapses from when it was heard of.
        | {"lapse_at": max(received.event.placed_at + lapse.of(received.event.storefront), tx.now)}
        for received in batch
    }
    made = await tx.insert(payment_orders, [orders[key] for key in sorted(orders)], returning="order_id")
    first = [new_attempt(row.order_id, 1) | {"opened_at": tx.now} for row in made]
    return {row.order_id: row.invoice_id for row in await tx.insert(attempts, first, returning="order_id, invoice_id")}


def _order(received: Received[OrderPlaced]) -> dict[str, Any]:
    event = received.event
    return {
        "order_id": event.order_id,
        "order_number": event.order_number,
        "storefront": event.storefront,
        "buyer_id": event.buyer_id,
        "kind": event.kind,
        "iccid": event.iccid,
        "plan": event.plan.model_dump(mode="json"),
        "price_minor": event.price.amount,
        "currency": event.price.currency,
        "placed_at": event.placed_at,
        "trace": received.trace,
    }


def _refund(event: RefundApproved) -> dict[str, Any]:
    return {
        "refund_id": event.refund_id,
        "order_id": event.order_id,
        "order_number": event.order_number,
        "storefront": event.storefront,
        "buyer_id": event.buyer_id,
        "amount_minor": event.amount.amount,
        "currency": event.amount.currency,
        "external_id": str(event.refund_id),
        "charge_id": event.charge_id,
        "pay_by": event.pay_by,
        "credited_by": event.credited_by,
        "approved_at": event.approved_at,
    }
