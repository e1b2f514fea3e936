"""Recurring jobs: counts deadlines and open cases for the metrics, and deletes rows whose time is over."""

import time

from refunds.cases.metrics import CaseMetrics
from refunds.cases.rules.deadlines import windows
from refunds.cases.rules.state import case_state
from refunds.cases.store.cases import REFUND_COLUMNS, case_of, refund_of
from refunds.policy import OrderPolicies
from shared.database import Database
from shared.signin.tables import EXPIRED
from shared.supervision import Loop

_COUNT_EVERY_SECONDS = 15.0
_DELETE_EVERY_SECONDS = 3600.0

_DEADLINES = """
SELECT f.storefront, c.due_kind AS kind, c.due_at FROM cases c JOIN order_facts f USING (order_id)
WHERE c.closed_at IS NULL AND c.due_at IS NOT NULL
UNION ALL SELECT storefront, 'claim', answer_by FROM claims WHERE answered_at IS NULL
"""
_OPEN = f"""
SELECT f.storefront, c.*, {REFUND_COLUMNS}
FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE c.closed_at IS NULL
"""
_DELETE_EXPIRED = ("DELETE FROM notes WHERE keep_until < :now", *EXPIRED)


class CaseJobs:
    """A loop of every instance; all count the same tables."""

    def __init__(self, database: Database, policies: OrderPolicies, metrics: CaseMetrics) -> None:
        self._database = database
        self._policies = policies
        self._metrics = metrics

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""
        deleted_at: float | None = None

        async def step() -> None:
            nonlocal deleted_at
            await self.count()
            loop.progress()
            if deleted_at is None or time.monotonic() - deleted_at > _DELETE_EVERY_SECONDS:
                await self._delete_expired()
                deleted_at = time.monotonic()

        await loop.repeat(step, _COUNT_EVERY_SECONDS, "watch_failed")

    async def count(self) -> None:
        """Count deadlines and open cases."""
        due: dict[tuple[str, str, str], int] = {}
        open_cases: dict[tuple[str, str], int] = {}
        async with self._database.reading() as tx:
            now = tx.now
            for row in await tx.execute(_DEADLINES):
                for window in windows(row.due_at, now, self._policies.calendar(row.storefront)):
                    key = (row.storefront, row.kind, window)
                    due[key] = due.get(key, 0) + 1
            for row in await tx.execute(_OPEN):
                state = case_state(case_of(row), refund_of(row))
                open_cases[row.storefront, state] = open_cases.get((row.storefront, state), 0) + 1
        self._metrics.show(due, open_cases)

    async def _delete_expired(self) -> None:
        async with self._database.transaction("maintain") as tx:
            for statement in _DELETE_EXPIRED:
                await tx.execute(statement, now=tx.now)
