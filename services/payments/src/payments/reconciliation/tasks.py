"""The daily comparison of our ledger with the bank.

The way of a day: when it is over, the scheduled job `reconcile` starts it; the task `reconcile` plans its invoices in
steps; the task `compare` asks the bank about one invoice and records every difference. A capture that only the bank
has is checked at once, as if its webhook had come.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from payments.attempts import CHECK, CheckPayload
from payments.bank_context import BankContext
from payments.clients.rate_limit import RateLimit
from payments.ledger import post_late
from payments.metrics import PaymentMetrics
from payments.polling import REFUSED_PAUSE
from payments.reconciliation import store
from payments.reconciliation.models import (
    COMPARE,
    PLAN,
    ComparePayload,
    Difference,
    FinishedDay,
    FoundDifference,
    PlannedInvoice,
    PlanPayload,
)
from payments.reconciliation.rules import differences, span
from shared.database import Database, Tx
from shared.outcomes import Done, NotDue, NotSent, Outcome
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_ONLY_AT_THE_BANK = frozenset({"capture_unknown_to_us", "held_at_the_bank"})
_MOVING_PAUSE = timedelta(seconds=5)


class StartDays:
    """Scheduled job `reconcile`: starts the comparison of each day (UTC) that ended at least `after` ago.

    `after` is None where days are not compared: the instant bank has no ledger.
    """

    def __init__(self, after: timedelta | None) -> None:
        self._after = after

    async def run(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Start one day, if it is over."""
        if self._after is None:
            return until, False
        day = since.date()
        _, end = span(day)
        if tx.now < end + self._after:
            return since, False
        await store.start(tx, day)
        return end, True


class PlanDay:
    """Task `reconcile`: schedules the comparison of the next invoices of a day. The key is `<day>/<after>`."""

    kind = PLAN
    concurrency = 1
    payload = PlanPayload

    def __init__(self, database: Database, metrics: PaymentMetrics) -> None:
        self._database = database
        self._metrics = metrics

    async def perform(self, task: Task[PlanPayload]) -> Outcome[Sequence[PlannedInvoice]]:
        """Read the invoices of this step."""
        async with self._database.reading() as tx:
            return Done(await store.invoices(tx, task.payload.day, task.payload.after))

    async def record(self, tx: Tx, results: Sequence[TaskResult[Sequence[PlannedInvoice], PlanPayload]]) -> None:
        """Schedule the comparison of each invoice, and the next step where there may be more."""
        planned: Counter[date] = Counter()
        await post_late(tx, list({invoice.order_id for result in results for invoice in result.result}))
        for result in results:
            day, invoices, trace = result.task.payload.day, result.result, result.task.continues
            planned[day] += len(invoices)
            for invoice in invoices:
                payload = ComparePayload(
                    order_id=invoice.order_id,
                    amount=invoice.amount,
                    currency=invoice.currency,
                    day=day,
                    order_number=invoice.order_number,
                )
                tx.schedule(COMPARE, f"{day}/{invoice.invoice_id}", payload, trace=trace)
            if len(invoices) == store.STEP:
                store.plan_from(tx, day, invoices[-1].invoice_id, trace)
        _report(await store.count(tx, planned, {}), self._metrics)


@dataclass(slots=True, frozen=True)
class Compared:
    """An invoice, and every difference between our ledger and the bank."""

    invoice_id: int
    differences: tuple[Difference, ...]


class CompareInvoice:
    """Task `compare`: asks the bank about one invoice, within the rate limit. The key is `<day>/<invoice id>`."""

    kind = COMPARE
    payload = ComparePayload

    def __init__(self, uses: BankContext, rate_limit: RateLimit, *, concurrency: int) -> None:
        self.concurrency = concurrency
        self._uses = uses
        self._rate_limit = rate_limit

    async def perform(self, task: Task[ComparePayload]) -> Outcome[Compared]:
        """Compare an invoice whose money does not move while the bank is asked."""
        compared = task.payload
        invoice_id, order_id = int(task.key.partition("/")[2]), compared.order_id
        expected = self._uses.expected(invoice_id, compared.amount, compared.currency, compared.order_number)
        await self._rate_limit.wait()
        async with self._uses.database.reading() as tx:
            before = await store.ours(tx, order_id, invoice_id)
        status = await self._uses.bank.status(expected, task.continues)
        if isinstance(status, NotSent):
            return status
        if status.value.says_nothing:
            return NotSent(f"check-status: result {status.value.result}", REFUSED_PAUSE)
        async with self._uses.database.reading() as tx:
            after = await store.ours(tx, order_id, invoice_id)
        if after != before:
            return NotDue(_MOVING_PAUSE, "its money is moving just now")
        return Done(Compared(invoice_id, differences(before, status.value, expected)))

    async def record(self, tx: Tx, results: Sequence[TaskResult[Compared, ComparePayload]]) -> None:
        """Store, log and count each difference; check what only the bank has."""
        compared: Counter[date] = Counter()
        entries: list[FoundDifference] = []
        for result in results:
            payload, invoice_id = result.task.payload, result.result.invoice_id
            compared[payload.day] += 1
            for difference in result.result.differences:
                entries.append(FoundDifference(payload.day, invoice_id, payload.order_id, difference))
                if difference.what in _ONLY_AT_THE_BANK:
                    check = CheckPayload(
                        order_id=payload.order_id,
                        amount=payload.amount,
                        currency=payload.currency,
                        order_number=payload.order_number,
                    )
                    tx.schedule(CHECK, str(invoice_id), check, trace=result.task.continues)
        await store.note(tx, entries)
        for entry in entries:
            self._uses.metrics.differences.labels(entry.difference.what).inc()
            log.error(
                "bank_differs",
                day=entry.day.isoformat(),
                invoice_id=str(entry.invoice_id),
                order_id=str(entry.order_id),
                what=entry.difference.what,
                ours=entry.difference.ours,
                banks=entry.difference.banks,
            )
        _report(await store.count(tx, {}, compared), self._uses.metrics)


def _report(finished: Sequence[FinishedDay], metrics: PaymentMetrics) -> None:
    for day in finished:
        metrics.days_reconciled.inc()
        log.info("day_reconciled", day=day.day.isoformat(), compared=day.compared, differences=day.differences)
