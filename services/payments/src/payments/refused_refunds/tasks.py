"""Books payments by hand that a second person has confirmed, after asking the bank whether it paid after all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from payments.attempts.rules.status import Expected
from payments.clients.bank import Bank, BankAwayError
from payments.metrics import PaymentMetrics
from payments.refunds import store as returns
from payments.refunds.rules.evidence import Evidence, evidence
from payments.refunds.tasks import REFUND
from payments.refused_refunds import store
from payments.refused_refunds.rules import Refusal
from shared.contracts import OrderEvent, RefundActionAnswered
from shared.database import Database, Tx
from shared.tasks import NotNow, Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
HAND_PAYMENT = "hand_payment"
_UNANSWERED_PAUSE = timedelta(seconds=30)


@dataclass(slots=True, frozen=True)
class Asked:
    """What the bank's status says: `bank_has_paid` where it shows this very refund."""

    refund_id: UUID
    bank_has_paid: bool


class ConfirmHandPayment:
    """Task `hand_payment`: the key is the payment's id. Asking changes nothing, so it may be repeated at will."""

    kind = HAND_PAYMENT
    concurrency = 1

    def __init__(self, bank: Bank, database: Database, metrics: PaymentMetrics, *, terminal: str) -> None:
        self._bank = bank
        self._database = database
        self._metrics = metrics
        self._terminal = terminal

    async def perform(self, task: Task) -> Asked:
        """Ask the bank; a payment is never booked while nobody knows what the bank did."""
        async with self._database.reading() as tx:
            row = await store.read(tx, UUID(task.key))
        if row.state != "confirming" or row.called_at is None:  # ended before, or the bank was never asked to pay
            return Asked(row.refund_id, bank_has_paid=False)
        expected = Expected(row.invoice_id, row.captured_minor, row.currency, self._terminal)
        try:
            answer = await self._bank.status(expected, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None
        if answer.result != "100":
            raise NotNow(f"check-status: result {answer.result}", delay=_UNANSWERED_PAUSE)
        found = evidence(
            answer,
            amount=row.refund_minor - row.hand_minor + row.amount_minor,
            captured=row.captured_minor,
            owed=row.captured_minor - (row.refunded_minor - row.all_by_hand),
        )
        # Every attempt was refused, so UNCLEAR is not enough to say that one of them succeeded.
        return Asked(row.refund_id, bank_has_paid=found is Evidence.DONE)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Asked]]) -> None:
        """Book each, or hand the refund back to the bank's own way where the bank has paid."""
        for one in done:
            payment_id = UUID(one.task.key)
            await store.lock(tx, one.result.refund_id)
            if one.result.bank_has_paid:
                ended = await self._bank_has_paid(tx, payment_id, one.task.continues)
            else:
                ended = await store.confirm(tx, payment_id, one.task.continues)
            if ended:
                await _answer(tx, payment_id, one.result, one.task.continues)
                outcome = "bank_has_paid" if one.result.bank_has_paid else "confirmed"
                self._metrics.hand_payments.labels(outcome).inc()

    async def _bank_has_paid(self, tx: Tx, payment_id: UUID, trace: str | None) -> bool:
        """Not booked. The next attempt asks first, finds the refund made, and settles it; an alarm calls a person."""
        row = await store.read(tx, payment_id)
        if row.state != "confirming":
            return False
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
        if (retried := await returns.try_again(tx, row.refund_id)) is not None:
            tx.publish(retried, trace=trace)
            tx.schedule(REFUND, str(row.refund_id), trace=trace)
        return True


async def _answer(tx: Tx, payment_id: UUID, asked: Asked, trace: str | None) -> None:
    row = await store.read(tx, payment_id)
    answered = RefundActionAnswered(
        **{name: getattr(row, name) for name in OrderEvent.model_fields},
        refund_id=row.refund_id,
        action_id=row.decision_id,
        accepted=not asked.bank_has_paid,
        reason=Refusal.BANK_HAS_PAID if asked.bank_has_paid else None,
        answered_at=tx.now,
    )
    tx.publish(answered, trace=trace)
