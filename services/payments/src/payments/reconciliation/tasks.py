"""The daily comparison with the bank: `reconcile` plans a day's invoices in steps, `compare` asks about one of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from payments.attempts.rules.status import UNANSWERED, Expected
from payments.attempts.tasks import CHECK, REFUSED_PAUSE, check_payload
from payments.clients.bank import Bank, BankAwayError
from payments.clients.rate_limit import Pace
from payments.ledger import store as ledger
from payments.metrics import PaymentMetrics
from payments.reconciliation import store as reconciliation
from payments.reconciliation.rules import Difference, Ours, differences
from payments.reconciliation.store import COMPARE, PLAN, STEP
from shared.database import Database, Tx
from shared.tasks import Later, NotNow, Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_UNKNOWN_TO_US = frozenset({"capture_unknown_to_us", "held_at_the_bank"})
_MOVING_PAUSE = timedelta(seconds=5)


class PlanDay:
    """Job `reconcile`: the key is `<day>/<invoice id to begin after>`."""

    kind = PLAN
    concurrency = 1

    def __init__(self, database: Database, metrics: PaymentMetrics) -> None:
        self._database = database
        self._metrics = metrics

    async def perform(self, task: Task) -> Sequence[Any]:
        """The next step's invoices."""
        async with self._database.reading() as tx:
            return await reconciliation.invoices(
                tx, date.fromisoformat(task.payload["day"]), int(task.payload["after"])
            )

    async def record(self, tx: Tx, done: Sequence[TaskResult[Sequence[Any]]]) -> None:
        """Make the comparison of each invoice due, and the next step where there may be more."""
        planned: Counter[date] = Counter()
        await ledger.post_late(tx, list({row.order_id for one in done for row in one.result}))
        for one in done:
            day = date.fromisoformat(one.task.payload["day"])
            planned[day] += len(one.result)
            for row in one.result:
                payload = check_payload(row.order_id, row.price_minor, row.currency) | {"day": day.isoformat()}
                tx.schedule(COMPARE, f"{day}/{row.invoice_id}", payload, trace=one.task.continues)
            if len(one.result) == STEP:
                reconciliation.plan_from(tx, day, one.result[-1].invoice_id, one.task.continues)
        _report(await reconciliation.count(tx, planned, {}), self._metrics)


@dataclass(slots=True, frozen=True)
class Compared:
    """An invoice and everything in which we differ from the bank."""

    invoice_id: int
    found: tuple[Difference, ...]


class CompareInvoice:
    """Job `compare`: the key is `<day>/<invoice id>`. At a polite rate: nobody waits for it."""

    kind = COMPARE

    def __init__(
        self, bank: Bank, database: Database, metrics: PaymentMetrics, pace: Pace, *, terminal: str, concurrency: int
    ) -> None:
        self.concurrency = concurrency
        self._bank = bank
        self._database = database
        self._metrics = metrics
        self._pace = pace
        self._terminal = terminal

    async def perform(self, task: Task) -> Compared:
        """Ask the bank about one invoice."""
        invoice_id = int(task.key.partition("/")[2])
        expected = Expected(invoice_id, task.payload["amount"], task.payload["currency"], self._terminal)
        await self._pace.turn()
        before = await self._ours(task, invoice_id)
        try:
            answer = await self._bank.status(expected, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None
        if answer.result in UNANSWERED:
            raise NotNow(f"check-status: result {answer.result}", delay=REFUSED_PAUSE)
        if await self._ours(task, invoice_id) != before:
            raise Later(_MOVING_PAUSE, "its money is moving just now")
        return Compared(invoice_id, differences(before, answer, expected))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Compared]]) -> None:
        """Keep and tell each difference. A capture we do not know is asked about as if its webhook had come."""
        compared: Counter[date] = Counter()
        found = []
        for one in done:
            payload = one.task.payload
            day = date.fromisoformat(payload["day"])
            compared[day] += 1
            for difference in one.result.found:
                found.append((day, one.result.invoice_id, payload["order_id"], difference))
                if difference.what in _UNKNOWN_TO_US:
                    ask = check_payload(UUID(payload["order_id"]), payload["amount"], payload["currency"])
                    tx.schedule(CHECK, str(one.result.invoice_id), ask, trace=one.task.continues)
        await reconciliation.note(tx, found)
        for day, invoice_id, order_id, difference in found:
            self._metrics.differences.labels(difference.what).inc()
            log.error(
                "bank_differs",
                day=day.isoformat(),
                invoice_id=str(invoice_id),
                order_id=order_id,
                what=difference.what,
                ours=difference.ours,
                banks=difference.banks,
            )
        _report(await reconciliation.count(tx, {}, compared), self._metrics)

    async def _ours(self, task: Task, invoice_id: int) -> Ours:
        async with self._database.reading() as tx:
            return await reconciliation.ours(tx, task.payload["order_id"], invoice_id)


def _report(finished: Sequence[Any], metrics: PaymentMetrics) -> None:
    for row in finished:
        metrics.days_reconciled.inc()
        log.info("day_reconciled", day=row.day.isoformat(), compared=row.compared, differences=row.differences)
