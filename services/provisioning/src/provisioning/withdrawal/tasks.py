"""Task `withdraw`: cancels what may be left at an operator, until the operator confirms that nobody can use it.

Orders that failed or moved to another operator schedule it, and so does the stock.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from uuid import UUID

from provisioning.clients.models import (
    Cancellation,
    OperatorNotSent,
    OperatorRefused,
    OperatorUnknown,
    in_words,
    reason_with_codes,
)
from provisioning.operators import Operators
from provisioning.withdrawal import store
from provisioning.withdrawal.models import ANOTHER_IDENTITY, STOCK_KEY, WithdrawalPayload
from shared.clock import Clock
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, NotSent, Outcome
from shared.tasks import Task, TaskResult
from shared.tasks.store import LEASE_SECONDS
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class Withdraw:
    """Withdraws profiles at one operator."""

    payload = WithdrawalPayload
    concurrency = 8

    def __init__(self, operators: Operators, name: str, clock: Clock) -> None:
        self.kind = operators.kind("withdraw", name)
        self._operators = operators
        self._name = name
        self._clock = clock
        #: An order that was sent earlier (by a paused worker, in a gateway's queue) may still arrive within this time.
        self._late_calls = timedelta(seconds=LEASE_SECONDS + operators.settings[name].timeout_seconds)

    async def perform(self, task: Task[WithdrawalPayload]) -> Outcome[Cancellation]:
        """Cancel; "never made" counts only when no order can be under way any more."""
        name = task.payload.operator or self._name
        if name not in self._operators:
            return NeedsPerson(f"operator {name} is not configured any more: cancel the profile by hand")
        outcome = await self._operators[name].cancel(task.payload.ref(uncertain=task.uncertain), trace=task.continues)
        match outcome:
            case Done(Cancellation(never_made=True)):
                wait = task.created_at + self._late_calls - self._clock.now()
                if wait > timedelta(0):
                    return NotSent("nothing is there; repeated when no call can be under way", wait)
            case OperatorRefused(_, reason):
                return NeedsPerson(f"{reason} {in_words(outcome.statuses)}".strip())
            case OperatorNotSent() | OperatorUnknown():
                return replace(outcome, reason=reason_with_codes(outcome))
        return outcome

    async def record(self, tx: Tx, results: Sequence[TaskResult[Cancellation, WithdrawalPayload]]) -> None:
        """Store when it was withdrawn."""
        keys = [result.task.key for result in results]
        await store.mark_stock(
            tx, sorted(UUID(key.removeprefix(STOCK_KEY)) for key in keys if key.startswith(STOCK_KEY))
        )
        await store.mark_orders(
            tx,
            sorted(
                (
                    (
                        UUID(result.task.key.partition(ANOTHER_IDENTITY)[0]),
                        result.task.payload.operator or self._name,
                        result.task.payload.iccid,
                    )
                    for result in results
                    if not result.task.key.startswith(STOCK_KEY)
                ),
                key=itemgetter(0, 1),
            ),
        )
        for result in results:
            log.info("profile_withdrawn", key=result.task.key, how=result.result.how)
