"""Handlers of payments' own events: captures and failed attempts that it has published since the backup."""

from collections.abc import Sequence
from uuid import UUID

from payments.receipts import ReceiptIntents
from payments.recovery import store
from payments.recovery.store import KnownAttempt
from shared.contracts import DuplicateCharged, OrderPaid, PaymentFailed, RefundPaidByHand, RefundSettled
from shared.contracts.base import Event
from shared.database import Tx
from shared.messaging.consumer import Handler, Received


class OwnEvents:
    """Stores what the events say. What the bank knows better is asked there (`bank_questions.py`).

    Refunds are not stored: each is approved again by its event, and its task asks the bank before it returns money.
    """

    def __init__(self, receipts: ReceiptIntents | None) -> None:
        self._receipts = receipts
        #: Refunds of which persons paid a part: the bank does not know that, so persons decide about the rest.
        self.paid_by_hand: set[UUID] = set()

    @property
    def handlers(self) -> dict[type[Event], Handler]:
        """In the sequence in which they are applied."""
        return {
            OrderPaid: self.order_paid,
            DuplicateCharged: self.duplicate_charged,
            PaymentFailed: self.payment_failed,
            RefundPaidByHand: self.refund_paid_by_hand,
            RefundSettled: self.refund_settled,
        }

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """The order keeps this capture; its receipt is intended again, and the register knows whether it was issued."""
        paid = {received.event.order_id: (received.event, received.trace) for received in batch}
        await store.keep_captures(tx, list(paid.values()))
        await store.keep_attempts(tx, [_captured(event) for event, _ in paid.values()])
        if self._receipts is not None:
            await self._receipts.add_sales(tx, paid.values())

    async def duplicate_charged(self, tx: Tx, batch: Sequence[Received[DuplicateCharged]]) -> None:
        """A second capture of an order, which goes back."""
        events = [received.event for received in batch]
        await store.keep_attempts(
            tx,
            [KnownAttempt(int(one.invoice_id), one.order_id, "duplicate", one.captured_at) for one in events],
        )
        await store.keep_surplus(tx, events)

    async def payment_failed(self, tx: Tx, batch: Sequence[Received[PaymentFailed]]) -> None:
        """The attempt ended without a payment."""
        events = [received.event for received in batch]
        await store.keep_attempts(
            tx,
            [
                KnownAttempt(int(one.invoice_id), one.order_id, "failed", one.failed_at, one.reason_code)
                for one in events
            ],
        )

    async def refund_paid_by_hand(self, _tx: Tx, batch: Sequence[Received[RefundPaidByHand]]) -> None:
        """A person paid a part of the refund."""
        self.paid_by_hand |= {received.event.refund_id for received in batch}

    async def refund_settled(self, _tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
        """Of a refund that the bank made, the bank is asked; of one that persons paid, it cannot be."""
        self.paid_by_hand |= {received.event.refund_id for received in batch if received.event.paid_by_hand is not None}


def _captured(event: OrderPaid) -> KnownAttempt:
    return KnownAttempt(int(event.invoice_id), event.order_id, "captured", event.paid_at)
