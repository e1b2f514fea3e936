"""Takes back what may have been left behind at an operator, until the operator is certain."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from provisioning.clients.models import Cancelled, NotNow, Refused, in_words
from provisioning.generation import rows
from provisioning.operators.registry import Operators
from shared.clock import Clock
from shared.database import Tx
from shared.tasks import Later, NeedsPersonError, Task, TaskResult, Unknown
from shared.tasks import NotNow as TryAgain
from shared.tasks.store import LEASE_SECONDS
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Withdrawals of profiles in stock are keyed so; all others by order id.
STOCK_KEY = "stock:"
_ORDERS = """
UPDATE profiles p SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[])) AS r(order_id, operator)
WHERE p.order_id = r.order_id AND p.operator = r.operator AND p.state = 'failed' AND p.withdrawn_at IS NULL
"""
_ATTEMPTS = """
UPDATE profile_orders a SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[])) AS r(order_id, operator)
WHERE a.order_id = r.order_id AND a.operator = r.operator AND a.withdrawn_at IS NULL
"""
_STOCK = """
UPDATE stock_profiles SET withdrawn_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND withdrawn_at IS NULL
"""


class Withdraw:
    """Makes sure that what may have been made, and was told to nobody, can be used by nobody."""

    concurrency = 8

    def __init__(self, operators: Operators, name: str, clock: Clock) -> None:
        self.kind = operators.kind("withdraw", name)
        self._operators = operators
        self._name = name
        self._clock = clock
        #: A call from before (of a paused worker, in a gateway's queue) may still arrive within this time.
        self._late_calls = timedelta(seconds=LEASE_SECONDS + operators.settings[name].timeout_seconds)

    async def perform(self, task: Task) -> Cancelled:
        """Ask until the operator says that there is nothing (any more)."""
        name = rows.operator_of(task, self._name)
        if name not in self._operators:
            raise NeedsPersonError(f"operator {name} is not configured any more: cancel the profile by hand")
        answer = await self._operators[name].cancel(rows.left_behind(task), trace=task.continues)
        match answer:
            case Cancelled(never_made=True) if self._clock.now() < task.created_at + self._late_calls:
                left = task.created_at + self._late_calls - self._clock.now()
                raise TryAgain("nothing is there; looking again when no call can be under way", delay=left)
            case Cancelled():
                return answer
            case Refused():
                raise NeedsPersonError(f"{answer.reason} {in_words(answer.statuses)}")
            case NotNow(asked=False):
                raise Later(timedelta(seconds=answer.retry_after or 1.0), rows.brief(answer))
            case NotNow():
                raise TryAgain(rows.brief(answer))
        raise Unknown(rows.brief(answer))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Cancelled]]) -> None:
        """Note when it was settled."""
        stock = sorted(UUID(one.task.key.removeprefix(STOCK_KEY)) for one in done if _is_stock(one.task))
        orders = sorted(
            (UUID(one.task.key), rows.operator_of(one.task, self._name)) for one in done if not _is_stock(one.task)
        )
        if stock:
            await tx.execute(_STOCK, now=tx.now, ids=stock)
        if orders:
            ids, operators = [key for key, _ in orders], [operator for _, operator in orders]
            await tx.execute(_ORDERS, now=tx.now, ids=ids, operators=operators)
            await tx.execute(_ATTEMPTS, now=tx.now, ids=ids, operators=operators)
        for one in done:
            log.info("profile_withdrawn", key=one.task.key, how=one.result.how)


def _is_stock(task: Task) -> bool:
    return task.key.startswith(STOCK_KEY)
