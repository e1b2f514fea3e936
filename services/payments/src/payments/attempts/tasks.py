"""The tasks of attempts: `check_status` and `poll` ask the bank whether an attempt was paid; orders lapse.

The way of an attempt: its page is handed out (`routes.pay`), which schedules `poll`; the bank's webhook schedules
`check_status` (`routes.receive_webhook`). Both are performed by `CheckStatus`, which records what the bank answers:

- captured: OrderPaid for the order's first capture, DuplicateCharged for any other one (RF 2.4);
- failed: PaymentFailed, and the next page opens a new attempt;
- nothing after `POLL_GIVE_UP_SECONDS`: the attempt expires. A payment that arrives later still counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from payments.attempts import store
from payments.attempts.models import DUPLICATE, CheckPayload, EndedAttempt
from payments.attempts.rules.verdict import Verdict, judge
from payments.bank_context import BankContext
from payments.clients.models import Expected, StatusAnswer
from payments.clients.rate_limit import RateLimit
from payments.metrics import PaymentMetrics
from payments.polling import REFUSED_PAUSE, PollingSchedule
from shared.database import Database, Tx
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Refused, Unknown
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult


class End(StrEnum):
    """How the questions about an attempt ended. RECORDED: its capture had been recorded before."""

    CAPTURED = "captured"
    FAILED = "failed"
    EXPIRED = "expired"
    RECORDED = "recorded"


@dataclass(slots=True, frozen=True)
class Checked:
    """The end of the questions about an attempt, and the last answer."""

    end: End
    answer: StatusAnswer


class CheckStatus:
    """Asks the bank how an attempt stands. The key is the invoice id.

    One handler for two kinds, so that timers never delay what follows a webhook: timers pass through a rate limit.
    Asking changes nothing, so an uncertain task simply asks again.
    """

    payload = CheckPayload

    def __init__(
        self,
        kind: str,
        uses: BankContext,
        *,
        schedule: PollingSchedule,
        concurrency: int,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self.kind = kind
        self.concurrency = concurrency
        self._uses = uses
        self._schedule = schedule
        self._rate_limit = rate_limit

    async def perform(self, task: Task[CheckPayload]) -> Outcome[Checked]:
        """Ask the bank, capture or release held money, and decide by the last answer."""
        asked = task.payload
        expected = self._uses.expected(int(task.key), asked.amount, asked.currency, asked.order_number)
        if self._rate_limit is not None:
            await self._rate_limit.wait()
        status = await self._ask(task, expected)
        if not isinstance(status, Done):
            return status
        return await self._decide(task, expected, status.value)

    async def _decide(self, task: Task[CheckPayload], expected: Expected, answer: StatusAnswer) -> Outcome[Checked]:
        """What the last answer means for the attempt, and when the bank is asked again."""
        verdict, differing = judge(answer, expected)
        self._uses.metrics.verdicts.labels(verdict).inc()
        match verdict:
            case Verdict.CAPTURED | Verdict.FAILED:
                return Done(Checked(End(verdict.value), answer))
            case Verdict.PENDING | Verdict.NOT_FOUND | Verdict.HELD:
                pause = self._schedule.pause(self._uses.database.clock.now() - task.created_at)
                expired = Done(Checked(End.EXPIRED, answer))
                return expired if pause is None else NotDue(pause, f"the bank says {verdict}")
            case Verdict.REFUSED:
                return NotSent(f"check-status: result {answer.result}", REFUSED_PAUSE)
            case Verdict.RETURNED | Verdict.MISMATCH if await self._is_captured(expected.invoice_id):
                # A recorded capture may look different after a refund: this question came too late to matter.
                return Done(Checked(End.RECORDED, answer))
            case Verdict.MISMATCH:
                for field in differing:
                    self._uses.metrics.mismatches.labels(field).inc()
                return NeedsPerson(f"the bank holds a payment that differs in {', '.join(differing)}")
            case Verdict.RETURNED | Verdict.UNCLEAR:
                return NeedsPerson(f"check-status: {verdict} (result {answer.result}, status {answer.status[:20]})")

    async def record(self, tx: Tx, results: Sequence[TaskResult[Checked, CheckPayload]]) -> None:
        """Record captures, failures and expired attempts, each kind with statements over all of them."""
        by_end: dict[End, list[EndedAttempt]] = {end: [] for end in End}
        for result in results:
            ended = EndedAttempt(
                order_id=result.task.payload.order_id,
                invoice_id=int(result.task.key),
                answer=result.result.answer,
                trace=result.task.continues,
            )
            by_end[result.result.end].append(ended)
        if captured := by_end[End.CAPTURED]:
            counts = await store.record_captured(tx, captured)
            self._uses.metrics.captures.labels("kept").inc(counts.kept)
            self._uses.metrics.captures.labels("duplicate").inc(counts.duplicate)
        if failed := by_end[End.FAILED]:
            await store.record_failed(tx, failed)
        if expired := by_end[End.EXPIRED]:
            await store.record_expired(tx, expired)

    async def _ask(self, task: Task[CheckPayload], expected: Expected) -> Done[StatusAnswer] | NotSent | Unknown:
        """Ask for the status. Where the bank holds the money, capture or release it first, and ask again."""
        status = await self._uses.bank.status(expected, task.continues)
        if isinstance(status, NotSent) or judge(status.value, expected)[0] is not Verdict.HELD:
            return status
        self._uses.metrics.verdicts.labels(Verdict.HELD).inc()
        settled = await self._charge_or_cancel(status.value, expected, task)
        return await self._uses.bank.status(expected, task.continues) if isinstance(settled, Done) else settled

    async def _charge_or_cancel(
        self, answer: StatusAnswer, expected: Expected, task: Task[CheckPayload]
    ) -> Done[None] | NotSent | Unknown:
        """Capture held money, or release it when another attempt has paid the order meanwhile."""
        transaction_id = answer.transaction_id or ""
        async with self._uses.database.reading() as tx:
            kept = await store.kept_invoice(tx, task.payload.order_id)
        if kept is None or kept == expected.invoice_id:
            outcome = await self._uses.bank.charge(transaction_id, task.continues)
        else:
            outcome = await self._uses.bank.cancel(transaction_id, task.continues)
        if isinstance(outcome, Refused):
            return NotSent(outcome.reason)  # the status has changed meanwhile: the next attempt reads it
        return outcome

    async def _is_captured(self, invoice_id: int) -> bool:
        async with self._uses.database.reading() as tx:
            return await store.is_captured(tx, invoice_id)


class DuplicateCapture:
    """Announces second captures that an earlier release left to a person. The key is the invoice id.

    This release schedules no such task: `CheckStatus` records second captures itself.
    """

    kind = DUPLICATE
    concurrency = 1
    payload = NoPayload

    def __init__(self, database: Database) -> None:
        self._database = database

    async def perform(self, task: Task[NoPayload]) -> Outcome[str]:
        """Read the bank's transaction id of the capture."""
        async with self._database.reading() as tx:
            return Done(await store.transaction_of(tx, int(task.key)))

    async def record(self, tx: Tx, results: Sequence[TaskResult[str, NoPayload]]) -> None:
        """Post and publish the captures."""
        transactions = {int(result.task.key): result.result for result in results}
        traces = {int(result.task.key): result.task.continues for result in results}
        await store.record_surplus(tx, transactions, traces)


class LapseOrders:
    """Scheduled job `lapse`: orders that nobody paid in their storefront's time lapse; publishes PaymentLapsed."""

    def __init__(self, metrics: PaymentMetrics) -> None:
        self._metrics = metrics

    async def run(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Look up to the present moment; what lies within the margin is looked at again."""
        unpaid = await store.unpaid_orders(tx, since, tx.now)
        lapsed = await store.record_lapsed(tx, [row.order_id for row in unpaid])
        self._metrics.lapsed.inc(lapsed)
        if len(unpaid) < store.LAPSE_STEP:
            return until, False
        # More orders may lapse at the same moment as the last one.
        return min(until, unpaid[-1].lapse_at - timedelta(microseconds=1)), True
