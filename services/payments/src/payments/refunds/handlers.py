"""Handler of RefundApproved: stores the refund and schedules the task that makes it."""

from collections.abc import Sequence
from typing import Any

from payments.refunds.models import REFUND
from payments.tables import refunds
from shared.contracts import RefundApproved, order_fields
from shared.database import Tx
from shared.messaging.consumer import Received


async def refund_approved(tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
    """Store each refund once under its id, however often the event arrives, and schedule its task."""
    rows = {received.event.refund_id: _refund(received.event) for received in batch}
    inserted = await tx.insert(refunds, [rows[key] for key in sorted(rows)], returning="refund_id")
    new = {row.refund_id for row in inserted}
    for received in batch:
        if received.event.refund_id in new:
            tx.schedule(REFUND, str(received.event.refund_id), trace=received.trace)


def _refund(event: RefundApproved) -> dict[str, Any]:
    return {
        "refund_id": event.refund_id,
        **order_fields(event),
        "amount_minor": event.amount.amount,
        "currency": event.amount.currency,
        "external_id": str(event.refund_id),
        "charge_id": event.charge_id,
        "pay_by": event.pay_by,
        "credited_by": event.credited_by,
        "approved_at": event.approved_at,
    }
