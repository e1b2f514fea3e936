"""Handler of OrderPlaced: stores what is to be paid. A constant number of statements per batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.attempts.models import CHECK, CheckPayload, LapseTimes
from payments.attempts.store import new_attempt
from payments.tables import attempts, payment_orders
from shared.contracts import Money, OrderPaid, OrderPlaced, order_fields
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


def order_placed(*, pay_at_once: bool, lapse_times: LapseTimes) -> Handler:
    """Make the handler. `pay_at_once`: check the status at once, because the instant bank has no payment page."""

    async def handle(tx: Tx, batch: Sequence[Received[OrderPlaced]]) -> None:
        invoices = await _open_orders(tx, batch, lapse_times)
        if pay_at_once:
            by_order = {received.event.order_id: received for received in batch}
            for order_id, invoice_id in invoices.items():
                received = by_order[order_id]
                price, number = received.event.price, received.event.order_number
                payload = CheckPayload(
                    order_id=order_id, amount=price.amount, currency=price.currency, order_number=number
                )
                tx.schedule(CHECK, str(invoice_id), payload, trace=received.trace)

    return handle


async def _open_orders(tx: Tx, batch: Sequence[Received[OrderPlaced]], lapse_times: LapseTimes) -> dict[UUID, int]:
    """Store orders with their first attempt; returns the invoice ids of the orders that are new."""
    orders = {
        received.event.order_id: _order(received)
        # The job looks at each moment once: an order that arrives late lapses when it arrives, not before.
        | {"lapse_at": max(_lapses_at(received.event, lapse_times), tx.now)}
        for received in batch
    }
    inserted = await tx.insert(payment_orders, [orders[key] for key in sorted(orders)], returning="order_id")
    first = [new_attempt(row.order_id, 1) | {"opened_at": tx.now} for row in inserted]
    return {row.order_id: row.invoice_id for row in await tx.insert(attempts, first, returning="order_id, invoice_id")}


def _lapses_at(event: OrderPlaced, lapse_times: LapseTimes) -> datetime:
    """The end of its time to pay. The time of an order that was held begins when it was released."""
    return (event.released_at or event.placed_at) + lapse_times.of(event.storefront)


def _order(received: Received[OrderPlaced]) -> dict[str, Any]:
    event = received.event
    return order_row(event, event.price, event.placed_at, received.trace)


def order_row(event: OrderPlaced | OrderPaid, price: Money, placed_at: datetime, trace: str | None) -> dict[str, Any]:
    """The columns of an order that the event of its placing, or of its payment, says."""
    return {
        **order_fields(event),
        "kind": event.kind,
        "iccid": event.iccid,
        "plan": event.plan.model_dump(mode="json"),
        "price_minor": price.amount,
        "currency": price.currency,
        "placed_at": placed_at,
        "trace": trace,
    }
