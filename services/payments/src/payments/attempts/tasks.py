"""Asks the bank how an attempt stands and records what it says. A webhook asks now, a timer asks when none came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from payments.attempts import captures
from payments.attempts.rules.status import Expected, StatusAnswer, Verdict, judge
from payments.clients.bank import Bank, BankAwayError, BankRefusedError, BankUnclearError
from payments.clients.rate_limit import Pace
from payments.metrics import PaymentMetrics
from payments.polling import Patience
from shared.database import Database, Tx
from shared.tasks import Later, NeedsPersonError, NotNow, Task, TaskResult, Unknown

CHECK, POLL = "check_status", "poll"
#: The bank does not let us ask, or had an error.
REFUSED_PAUSE = timedelta(seconds=60)


def check_payload(order_id: UUID, amount: int, currency: str) -> dict[str, Any]:
    """What the work row carries, so that asking needs no database: order, minor units, currency. Key: invoice id."""
    return {"order_id": str(order_id), "amount": amount, "currency": currency}


@dataclass(slots=True, frozen=True)
class Checked:
    """The end of asking. `verdict` is CAPTURED, FAILED, or RETURNED (known already); None: the attempt lapsed."""

    verdict: Verdict | None
    answer: StatusAnswer


class CheckStatus:
    """One job in two lanes: `check_status` for webhooks, `poll` for the timer of each attempt handed out.

    Nobody waits for a timer: with a `pace` it asks at a polite rate.
    """

    def __init__(
        self,
        kind: str,
        bank: Bank,
        database: Database,
        metrics: PaymentMetrics,
        *,
        terminal: str,
        patience: Patience,
        concurrency: int,
        pace: Pace | None = None,
    ) -> None:
        self.kind = kind
        self.concurrency = concurrency
        self._bank = bank
        self._database = database
        self._metrics = metrics
        self._terminal = terminal
        self._patience = patience
        self._pace = pace

    async def perform(self, task: Task) -> Checked:
        """Ask; asking again is always safe, so an uncertain item needs no other care."""
        expected = Expected(int(task.key), task.payload["amount"], task.payload["currency"], self._terminal)
        if self._pace is not None:
            await self._pace.turn()
        answer = await self._ask(expected, task)
        verdict, differing = self._judge(answer, expected)
        if verdict is Verdict.HELD:
            answer = await self._settle_hold(answer, expected, task)
            verdict, differing = self._judge(answer, expected)
        if verdict in (Verdict.CAPTURED, Verdict.FAILED):
            return Checked(verdict, answer)
        # A capture that we know may look different once some of it went back: asked too late, and nothing to do.
        if verdict in (Verdict.RETURNED, Verdict.MISMATCH) and await self._known(expected):
            return Checked(Verdict.RETURNED, answer)
        if verdict is Verdict.MISMATCH:
            for field in differing:
                self._metrics.mismatches.labels(field).inc()
            raise NeedsPersonError(f"the bank holds a payment that differs in {', '.join(differing)}")
        if verdict is Verdict.REFUSED:
            raise NotNow(f"check-status: result {answer.result}", delay=REFUSED_PAUSE)
        if verdict in (Verdict.PENDING, Verdict.NOT_FOUND, Verdict.HELD):
            pause = self._patience.pause(self._database.clock.now() - task.created_at)
            if pause is None:
                return Checked(None, answer)
            raise Later(pause, f"the bank says {verdict}")
        raise NeedsPersonError(f"check-status: {verdict} (result {answer.result}, status {answer.status[:20]})")

    async def record(self, tx: Tx, done: Sequence[TaskResult[Checked]]) -> None:
        """Captures, failures and lapses, each as statements over all of them."""
        by_verdict: dict[Verdict | None, list[captures.Ended]] = {}
        for one in done:
            ended = captures.Ended(
                order_id=UUID(one.task.payload["order_id"]),
                invoice_id=int(one.task.key),
                answer=one.result.answer,
                trace=one.task.continues,
            )
            by_verdict.setdefault(one.result.verdict, []).append(ended)
        if captured := by_verdict.get(Verdict.CAPTURED):
            await captures.record_captured(tx, captured, self._metrics)
        if failed := by_verdict.get(Verdict.FAILED):
            await captures.record_failed(tx, failed)
        if lapsed := by_verdict.get(None):
            await captures.record_lapsed(tx, lapsed)

    async def _ask(self, expected: Expected, task: Task) -> StatusAnswer:
        try:
            return await self._bank.status(expected, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None

    def _judge(self, answer: StatusAnswer, expected: Expected) -> tuple[Verdict, tuple[str, ...]]:
        verdict, differing = judge(answer, expected)
        self._metrics.verdicts.labels(verdict).inc()
        return verdict, differing

    async def _settle_hold(self, answer: StatusAnswer, expected: Expected, task: Task) -> StatusAnswer:
        """Capture held money, or let it go when the order has been paid meanwhile; then ask again."""
        transaction_id = answer.transaction_id or ""
        kept = await self._kept_invoice(task)
        try:
            if kept is None or kept == expected.invoice_id:
                await self._bank.charge(transaction_id, task.continues)
            else:
                await self._bank.cancel(transaction_id, task.continues)
        except BankAwayError as error:
            raise NotNow(str(error), delay=error.delay) from None
        except BankUnclearError as error:
            raise Unknown(str(error)) from None
        except BankRefusedError as error:
            raise NotNow(str(error)) from None  # its status has changed, or will be looked at again
        return await self._ask(expected, task)

    async def _known(self, expected: Expected) -> bool:
        """Whether the capture of this attempt is on record already, kept or surplus."""
        async with self._database.reading() as tx:
            found = await tx.execute("SELECT state FROM attempts WHERE invoice_id = :id", id=expected.invoice_id)
        return found.scalar() in ("captured", "duplicate")

    async def _kept_invoice(self, task: Task) -> int | None:
        async with self._database.reading() as tx:
            found = await tx.execute(
                "SELECT captured_invoice FROM payment_orders WHERE order_id = :order_id",
                order_id=UUID(task.payload["order_id"]),
            )
            invoice: int | None = found.scalar()
        return invoice
