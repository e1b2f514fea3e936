"""Facts of other services, kept per order in whatever order they come; one statement per topic and batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from refunds.opening import open_due_cases
from refunds.tables import order_facts, refund_outcomes
from shared.contracts import (
    DeliveryFailed,
    OrderEvent,
    OrderPaid,
    ProfileFailed,
    ProfileGenerated,
    QrDelivered,
    RefundFailed,
    RefundSettled,
)
from shared.database import Tx
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)


async def order_paid(tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
    """Keep what was paid; it may be the fact that a case has waited for."""
    await _keep(tx, batch, lambda e: {"paid_at": e.paid_at, "paid_minor": e.paid.amount, "currency": e.paid.currency})
    await open_due_cases(tx, batch)


async def profile_generated(tx: Tx, batch: Sequence[Received[ProfileGenerated]]) -> None:
    """Keep that there is a profile."""
    await _keep(tx, batch, lambda e: {"generated_at": e.generated_at})


async def profile_failed(tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
    """Keep that no profile will come, and open the case where the money is known to be here."""
    await _keep(
        tx,
        batch,
        lambda e: {
            "failed_at": e.failed_at,
            "failure": e.reason,
            "failure_statuses": [status.model_dump() for status in e.statuses],
        },
    )
    await open_due_cases(tx, batch)


async def qr_delivered(tx: Tx, batch: Sequence[Received[QrDelivered]]) -> None:
    """Keep when and how the code reached the buyer."""
    await _keep(tx, batch, lambda e: {"delivered_at": e.delivered_at, "delivery_channel": e.channel})


async def delivery_failed(tx: Tx, batch: Sequence[Received[DeliveryFailed]]) -> None:
    """Keep that a mailbox refused, with its codes."""
    await _keep(
        tx,
        batch,
        lambda e: {
            "delivery_failed_at": e.failed_at,
            "delivery_failure": f"{e.channel} {e.smtp_code} {e.enhanced_code or ''}".rstrip(),
        },
    )


async def refund_settled(tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
    """Keep that the money has gone back: it closes the case."""
    await _keep(tx, batch, lambda e: {"settled_at": e.settled_at})
    await tx.record_facts(
        refund_outcomes,
        "refund_id",
        (
            {"refund_id": r.event.refund_id, "order_id": r.event.order_id, "settled_at": r.event.settled_at}
            for r in batch
        ),
    )


async def refund_failed(tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
    """Keep that the bank would not return the money: the case waits for a person."""
    await _keep(tx, batch, lambda e: {"refund_failed_at": e.failed_at})
    await tx.record_facts(
        refund_outcomes,
        "refund_id",
        (
            {
                "refund_id": r.event.refund_id,
                "order_id": r.event.order_id,
                "failed_at": r.event.failed_at,
                "failure": r.event.reason,
            }
            for r in batch
        ),
    )


async def _keep(tx: Tx, batch: Sequence[Received[E]], facts: Callable[[E], Mapping[str, Any]]) -> None:
    await tx.record_facts(
        order_facts,
        "order_id",
        (
            {
                "order_id": received.event.order_id,
                "order_number": received.event.order_number,
                "storefront": received.event.storefront,
                "buyer_id": received.event.buyer_id,
                **facts(received.event),
            }
            for received in batch
        ),
    )
