"""The task `refund` returns money through the bank; scheduled jobs watch the promised dates.

The way of a refund: RefundApproved schedules the task (`handlers.refund_approved`). The task

1. promises the amount in the database (`store.intend`), or waits for the capture or for another refund of the order;
2. asks the bank for the status where an earlier call may have arrived, so that no call is repeated blindly;
3. calls the bank, with the refund's id as `externalID`;
4. records the outcome: RefundSettled, or RefundFailed. Persons decide about a refused refund (`refused_refunds`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments.bank_context import BankContext
from payments.clients.bank import Bank
from payments.clients.models import Expected
from payments.metrics import PaymentMetrics
from payments.polling import PollingSchedule
from payments.refunds import store
from payments.refunds.models import REFUND, Ended, Failure, Impossible, Intent, Waiting
from payments.refunds.rules.evidence import Evidence, evidence
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome, Refused, Unknown
from shared.shops.files import ShopFiles
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_UNANSWERED_PAUSE = timedelta(seconds=30)


@dataclass(slots=True, frozen=True)
class Settled:
    """The bank has made the refund. `before`: it had ended before this task looked, nothing is to be recorded."""

    before: bool = False


async def ask_evidence(
    bank: Bank, capture: Expected, trace: str | None, *, amount: int, owed: int
) -> Evidence | NotSent:
    """Ask the bank for the status of a recorded capture, and judge one refund of it (see `evidence`)."""
    status = await bank.status(capture, trace)
    if isinstance(status, NotSent):
        return status
    if status.value.result != "100":
        # The capture is recorded, so any other result is about our question and not about the money.
        return NotSent(f"check-status: result {status.value.result}", _UNANSWERED_PAUSE)
    return evidence(status.value, amount=amount, captured=capture.amount, owed=owed)


class MakeRefund:
    """Makes one refund. The key is the refund's id.

    `doubt`: how long a call without a reply may still be executed by the bank.
    """

    kind = REFUND
    payload = NoPayload

    def __init__(
        self, uses: BankContext, shops: ShopFiles, *, schedule: PollingSchedule, doubt: timedelta, concurrency: int
    ) -> None:
        self.concurrency = concurrency
        self._uses = uses
        self._shops = shops
        self._schedule = schedule
        self._doubt = doubt

    async def perform(self, task: Task[NoPayload]) -> Outcome[Settled]:
        """Promise the amount, ask before a repetition, call the bank."""
        async with self._uses.database.transaction("refund_intent") as tx:
            intent = await store.intend(tx, UUID(task.key))
        match intent:
            case Ended():
                return Done(Settled(before=True))
            case Impossible(reason):
                return Refused("", reason)
            case Waiting():
                return self._wait(task, intent)
        if (decided := await self._ask_before_repeating(task, intent)) is not None:
            return decided
        if not intent.fresh:
            async with self._uses.database.transaction("refund_intent") as tx:
                await store.call_again(tx, UUID(task.key))
        return await self._call(task, intent)

    async def record(self, tx: Tx, results: Sequence[TaskResult[Settled, NoPayload]]) -> None:
        """Record what ended and publish RefundSettled or RefundFailed."""
        traces = {UUID(result.task.key): result.task.continues for result in results}
        settled: list[UUID] = []
        failed: dict[UUID, Failure] = {}
        for result in results:
            refund_id = UUID(result.task.key)
            match result.outcome:
                case Refused(code, reason):
                    failed[refund_id] = Failure(reason, int(code) if code else None)
                    self._uses.metrics.refunds.labels("failed").inc()
                case Done(Settled(before=True)):
                    self._uses.metrics.refunds.labels("known").inc()
                case Done():
                    settled.append(refund_id)
                    self._uses.metrics.refunds.labels("settled").inc()
        if settled:
            await store.record_settled(tx, settled, traces, self._shops.current())
        if failed:
            await store.record_failed(tx, failed, traces)

    async def _ask_before_repeating(self, task: Task[NoPayload], intent: Intent) -> Outcome[Settled] | None:
        """Ask for the status where an earlier call may have been executed; None: the bank may be called.

        After a refusal the bank has said that it did nothing, so a retry is made unless the status shows the refund.
        """
        # An earlier call can have arrived only if the promise was stored before this attempt of the task, or if the
        # promise is lost: after a recovery the task is uncertain in its first attempt.
        maybe_made = task.uncertain and (not intent.fresh or task.attempts == 0)
        if not maybe_made and intent.attempt == 1:
            return None
        shown = await self._evidence(task, intent)
        if isinstance(shown, NotSent):
            return shown
        if shown is Evidence.DONE:
            return Done(Settled())
        if not maybe_made or shown is Evidence.REPEATABLE:
            return None
        pause = self._doubt_left(intent)
        if pause is not None or shown is not Evidence.UNCLEAR:
            return pause
        return NeedsPerson("the bank's status does not tell whether the refund was made: ask the bank")

    async def _call(self, task: Task[NoPayload], intent: Intent) -> Outcome[Settled]:
        """Call the bank; after a refusal ask for the status, because an earlier call may have been executed."""
        match await self._uses.bank.refund(intent.transaction_id, intent.amount, intent.external_id, task.continues):
            case Done():
                return Done(Settled())
            case Refused() as refused:
                return await self._refused(task, intent, refused)
            case Unknown() as unknown:
                self._uses.metrics.refunds.labels("unclear").inc()
                return unknown
            case NotSent() as not_sent:
                return not_sent

    async def _refused(self, task: Task[NoPayload], intent: Intent, refused: Refused) -> Outcome[Settled]:
        """The bank refused the call: perhaps because an earlier call of the same refund was executed."""
        shown = await self._evidence(task, intent)
        if isinstance(shown, NotSent):
            return Unknown(shown.reason, shown.retry_after)
        if shown is Evidence.DONE:
            return Done(Settled())
        if task.uncertain:
            if pause := self._doubt_left(intent):
                return pause
            if shown is Evidence.UNCLEAR:
                return NeedsPerson(f"{refused.reason}, and its status does not tell whether the refund had been made")
        return refused

    def _doubt_left(self, intent: Intent) -> NotSent | None:
        """Wait while an earlier call without a reply may still arrive at the bank; "not made" is certain only then."""
        left = intent.called_at + self._doubt - self._uses.database.clock.now()
        return NotSent("the last call may still be on its way", left) if left > timedelta(0) else None

    async def _evidence(self, task: Task[NoPayload], intent: Intent) -> Evidence | NotSent:
        capture = self._uses.expected(intent.invoice_id, intent.captured, intent.currency)
        return await ask_evidence(self._uses.bank, capture, task.continues, amount=intent.amount, owed=intent.owed)

    def _wait(self, task: Task[NoPayload], waiting: Waiting) -> Refused | NotDue:
        """Wait for a capture for a limited time; for another refund of the order until that one wakes this task."""
        pause = self._schedule.pause(self._uses.database.clock.now() - task.created_at)
        if pause is None and waiting.give_up_reason is not None:
            return Refused("", waiting.give_up_reason)
        return NotDue(pause or self._schedule.longest, waiting.reason)


class WatchPromisedDates:
    """Scheduled job `promises`: logs refunds whose promised date is near, and those that missed it, once each."""

    def __init__(self, warn_before: timedelta) -> None:
        self._warn_before = warn_before

    async def run(self, tx: Tx, _since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Look at all refunds that are not made."""
        for row in await store.mark_warned(tx, tx.now + self._warn_before):
            log.warning("refund_due_soon", **_named(row))
        for row in await store.mark_missed(tx):
            log.error("refund_overdue", **_named(row))
        return until, False


class RefundGauges:
    """Shows refunds near and past their promised date on `/metrics`."""

    def __init__(self, metrics: PaymentMetrics, warn_before: timedelta) -> None:
        self._metrics = metrics
        self._warn_before = warn_before

    async def refresh(self, tx: Tx) -> None:
        """Read them from the database."""
        row = await store.count_by_date(tx, tx.now + self._warn_before)
        self._metrics.due_soon.set(row.soon)
        self._metrics.overdue.set(row.overdue)


def _named(row: Any) -> dict[str, str]:
    return {
        "refund_id": str(row.refund_id),
        "order_id": str(row.order_id),
        "storefront": row.storefront,
        "pay_by": row.pay_by.isoformat(),
    }
