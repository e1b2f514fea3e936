"""The task `hand_payment` books payments by hand that a second person has confirmed.

The way of a payment by hand: one person records it (`handlers.hand_payment_recorded`), another one confirms it
(`handlers.hand_payment_decided`), which schedules the task. The task asks the bank whether it made the refund after
all, then books the payment (RefundPaidByHand) or, where the bank has paid, lets the refund be settled as the bank's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from payments.bank_context import BankContext
from payments.metrics import PaymentMetrics
from payments.refunds import REFUND, Evidence, ask_evidence, lock_order, try_again
from payments.refused_refunds import store
from payments.refused_refunds.models import HAND_PAYMENT, Refusal
from shared.contracts import OrderEvent, RefundActionAnswered
from shared.database import Tx
from shared.outcomes import Done, NotSent, Outcome
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


@dataclass(slots=True, frozen=True)
class BankChecked:
    """What the bank's status shows: `bank_has_paid` where it shows this very refund."""

    refund_id: UUID
    bank_has_paid: bool


class ConfirmHandPayment:
    """Asks the bank once more, then books the payment. The key is the payment's id. Asking changes nothing."""

    kind = HAND_PAYMENT
    concurrency = 1
    payload = NoPayload

    def __init__(self, uses: BankContext) -> None:
        self._uses = uses

    async def perform(self, task: Task[NoPayload]) -> Outcome[BankChecked]:
        """Ask the bank. A payment is never booked while the outcome at the bank is unknown."""
        async with self._uses.database.reading() as tx:
            row = await store.read(tx, UUID(task.key))
        if row.state != "confirming" or row.called_at is None:  # it has ended, or the bank was never asked to pay
            return Done(BankChecked(row.refund_id, bank_has_paid=False))
        shown = await ask_evidence(
            self._uses.bank,
            self._uses.expected(row.invoice_id, row.captured_minor, row.currency),
            task.continues,
            amount=row.refund_minor - row.hand_minor + row.amount_minor,
            owed=row.captured_minor - (row.refunded_minor - row.all_by_hand),
        )
        if isinstance(shown, NotSent):
            return shown
        # Every attempt was refused, so UNCLEAR is not enough to conclude that one of them succeeded.
        return Done(BankChecked(row.refund_id, bank_has_paid=shown is Evidence.DONE))

    async def record(self, tx: Tx, results: Sequence[TaskResult[BankChecked, NoPayload]]) -> None:
        """Book each payment, or begin another attempt of the refund where the bank has paid; answer the action."""
        for result in results:
            payment_id, checked, trace = UUID(result.task.key), result.result, result.task.continues
            await lock_order(tx, checked.refund_id)
            if checked.bank_has_paid:
                row = await self._refuse(tx, payment_id, trace)
            else:
                row = await store.confirm(tx, payment_id, trace)
            if row is not None:
                _answer(tx, row, trace, bank_has_paid=checked.bank_has_paid)
                outcome = "bank_has_paid" if checked.bank_has_paid else "confirmed"
                self._uses.metrics.hand_payments.labels(outcome).inc()

    async def _refuse(self, tx: Tx, payment_id: UUID, trace: str | None) -> Any:
        """Refuse the payment. The refund's next attempt asks first, sees that the bank made it, and settles it.

        The log line is an alarm: a person has to claim one of the two payments back. Returns the payment's
        row; None: the payment had ended.
        """
        row = await store.read(tx, payment_id)
        if row.state != "confirming":
            return None
        await store.drop(
            tx,
            payment_id,
            state="refused",
            refusal=Refusal.BANK_HAS_PAID,
            decision_id=row.decision_id,
            by=row.decided_by,
        )
        await store.answer(tx, row.decision_id, Refusal.BANK_HAS_PAID)
        log.error("refund_paid_twice", refund_id=str(row.refund_id), payment_id=str(payment_id), way=row.way)
        if (retried := await try_again(tx, row.refund_id)) is not None:
            tx.publish(retried, trace=trace)
            tx.schedule(REFUND, str(row.refund_id), trace=trace)
        return row


def _answer(tx: Tx, row: Any, trace: str | None, *, bank_has_paid: bool) -> None:
    answered = RefundActionAnswered(
        **{name: getattr(row, name) for name in OrderEvent.model_fields},
        refund_id=row.refund_id,
        action_id=row.decision_id,
        accepted=not bank_has_paid,
        reason=Refusal.BANK_HAS_PAID if bank_has_paid else None,
        answered_at=tx.now,
    )
    tx.publish(answered, trace=trace)


class RefusedRefundGauges:
    """Shows refused refunds that are not paid yet, and unconfirmed payments by hand, on `/metrics`."""

    def __init__(self, metrics: PaymentMetrics) -> None:
        self._metrics = metrics

    async def refresh(self, tx: Tx) -> None:
        """Read them from the database."""
        row = await store.count_owed(tx)
        self._metrics.refused_open.set(row.open)
        waited = 0.0 if row.oldest is None else (tx.now - row.oldest).total_seconds()
        self._metrics.refused_oldest.set(max(0.0, waited))
        self._metrics.hand_unconfirmed.set(row.unconfirmed)
