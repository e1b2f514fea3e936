"""Returns money through the bank: intent first, one call per order at a time, and no blind repeat (rule 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

from payments.attempts.rules.status import Expected, StatusAnswer
from payments.clients.bank import Bank, BankAwayError, BankRefusedError, BankUnclearError
from payments.metrics import PaymentMetrics
from payments.polling import Patience
from payments.refunds import store as returns
from payments.refunds.rules.evidence import Evidence, evidence
from payments.refunds.store import Failure, Intent
from shared.database import Database, Tx
from shared.tasks import Later, NeedsPersonError, NotNow, Task, TaskResult, Unknown

REFUND = "refund"


class Outcome(StrEnum):
    """How an intended refund ended. KNOWN: it had ended before, nothing is to be recorded."""

    SETTLED = "settled"
    FAILED = "failed"
    KNOWN = "known"


@dataclass(slots=True, frozen=True)
class Returned:
    """An outcome; `failure` says why the money did not move, `code` is the bank's own where it was asked."""

    outcome: Outcome
    failure: str = ""
    code: int | None = None


class ReturnMoney:
    """Job `refund`: the key is the refund's id."""

    kind = REFUND

    def __init__(
        self,
        bank: Bank,
        database: Database,
        metrics: PaymentMetrics,
        *,
        terminal: str,
        patience: Patience,
        doubt: timedelta,
        concurrency: int,
    ) -> None:
        self.concurrency = concurrency
        self._doubt = doubt
        self._bank = bank
        self._database = database
        self._metrics = metrics
        self._terminal = terminal
        self._patience = patience

    async def perform(self, task: Task) -> Returned:
        """Make the refund, or find out what became of it."""
        async with self._database.transaction("refund_intent") as tx:
            intent = await returns.intend(tx, UUID(task.key))
        if intent.ended:
            return Returned(Outcome.KNOWN)
        if intent.refusal:
            return Returned(Outcome.FAILED, intent.refusal)
        if intent.waits_for:
            return self._wait(task, intent)
        # A call may have reached the bank before only if its intent was stored before this performance of the work.
        unknown = task.uncertain and not intent.fresh
        if unknown or intent.attempt > 1:
            found = await self._found(task, intent)
            if found is Evidence.DONE:
                return Returned(Outcome.SETTLED)
            # A refusal that a person has retried is the bank's word that it did nothing: only DONE contradicts it.
            if unknown and found is not Evidence.REPEATABLE:
                self._let_settle(intent)
            if unknown and found is Evidence.UNCLEAR:
                raise NeedsPersonError("the bank's status does not tell whether the refund was made: ask the bank")
        if not intent.fresh:
            async with self._database.transaction("refund_intent") as tx:
                await returns.call_again(tx, UUID(task.key))
        return await self._call(task, intent)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Returned]]) -> None:
        """Note what ended and publish RefundSettled or RefundFailed."""
        traces = {UUID(one.task.key): one.task.continues for one in done}
        settled = [UUID(one.task.key) for one in done if one.result.outcome is Outcome.SETTLED]
        failed = {
            UUID(one.task.key): Failure(one.result.failure, one.result.code)
            for one in done
            if one.result.outcome is Outcome.FAILED
        }
        if settled:
            await returns.record_settled(tx, settled, traces)
        if failed:
            await returns.record_failed(tx, failed, traces)
        for one in done:
            self._metrics.refunds.labels(one.result.outcome).inc()

    async def _call(self, task: Task, intent: Intent) -> Returned:
        try:
            await self._bank.refund(intent.transaction_id, intent.amount, intent.external_id, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None
        except BankUnclearError as error:
            self._metrics.refunds.labels("unclear").inc()
            raise Unknown(str(error)) from None
        except BankRefusedError as error:
            return await self._refused(task, intent, error)
        return Returned(Outcome.SETTLED)

    async def _refused(self, task: Task, intent: Intent, error: BankRefusedError) -> Returned:
        """The bank said no: perhaps because the refund had been made already."""
        try:
            found = await self._found(task, intent)
        except NotNow as away:
            raise Unknown(str(away), delay=away.delay) from None
        if found is Evidence.DONE:
            return Returned(Outcome.SETTLED)
        if task.uncertain:
            self._let_settle(intent)
            if found is Evidence.UNCLEAR:
                raise NeedsPersonError(f"{error}, and its status does not tell whether the refund had been made")
        return Returned(Outcome.FAILED, str(error), error.code)

    def _let_settle(self, intent: Intent) -> None:
        """A call whose reply did not come may still reach the bank: "not made" counts only some time after it."""
        called = intent.called_at or self._database.clock.now()
        left = called + self._doubt - self._database.clock.now()
        if left > timedelta(0):
            raise NotNow("the last call may still be on its way", delay=left)

    async def _found(self, task: Task, intent: Intent) -> Evidence:
        expected = Expected(intent.invoice_id, intent.captured, intent.currency, self._terminal)
        try:
            answer: StatusAnswer = await self._bank.status(expected, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None
        if answer.result != "100":
            # The capture is known to us: this is an answer about the question, not about the money.
            raise NotNow(f"check-status: result {answer.result}", delay=timedelta(seconds=30))
        return evidence(answer, amount=intent.amount, captured=intent.captured, owed=intent.owed)

    def _wait(self, task: Task, intent: Intent) -> Returned:
        """For the capture only so long; for another refund of the order until that is over, which wakes this one."""
        pause = self._patience.pause(self._database.clock.now() - task.created_at)
        if pause is None and intent.unless:
            return Returned(Outcome.FAILED, intent.unless)
        raise Later(pause or self._patience.longest, intent.waits_for)
