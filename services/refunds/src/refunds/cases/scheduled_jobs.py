"""Recurring jobs: count deadlines and open cases for the metrics, decide cases that an earlier release left undecided,
and delete rows whose time is over.
"""

import time

from refunds.cases.rules.deadlines import windows
from refunds.cases.rules.state import case_state
from refunds.cases.store.cases import REFUND_COLUMNS, case_of, refund_of
from refunds.cases.store.changes import CaseContext
from refunds.cases.tasks import decide_open_cases
from shared.database import Database
from shared.signin.tables import EXPIRED
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
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
#: Whatever reports a revocation decides the case in the same transaction. An instance of release 1.0, while releases
#: overlap, knows the profile as revoked and the request for it not: it asks the buyer for more, and nobody pays.
_UNDECIDED = """
SELECT DISTINCT c.order_id FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN revocations v USING (case_id)
WHERE c.closed_at IS NULL AND c.refund_id IS NULL
AND (c.revocation_asked_at IS NOT NULL OR c.cancellation_accepted_at IS NOT NULL)
AND (f.revoked_at IS NOT NULL OR v.revoked_at IS NOT NULL)
AND (c.appealed_at IS NULL OR c.appeal_answered_at IS NOT NULL)
LIMIT 500
"""
_DELETE_EXPIRED = ("DELETE FROM notes WHERE keep_until < :now", *EXPIRED)


class CaseJobs:
    """A loop of every instance; all count the same tables."""

    def __init__(self, database: Database, context: CaseContext) -> None:
        self._database = database
        self._context = context

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""
        deleted_at: float | None = None

        async def step() -> None:
            nonlocal deleted_at
            await self.count()
            loop.progress()
            await self.decide_undecided()
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
                for window in windows(row.due_at, now, self._context.policies.calendar(row.storefront)):
                    key = (row.storefront, row.kind, window)
                    due[key] = due.get(key, 0) + 1
            for row in await tx.execute(_OPEN):
                state = case_state(case_of(row), refund_of(row))
                open_cases[row.storefront, state] = open_cases.get((row.storefront, state), 0) + 1
        self._context.metrics.show(due, open_cases)

    async def decide_undecided(self) -> None:
        """Decide open cases whose profile is revoked and whose refund nobody has released."""
        async with self._database.reading() as tx:
            orders = (await tx.execute(_UNDECIDED)).scalars()
        if orders:
            log.warning("cases_left_undecided", orders=len(orders))
            async with self._database.transaction("work") as tx:
                await decide_open_cases(tx, self._context, orders, {})

    async def _delete_expired(self) -> None:
        async with self._database.transaction("maintain") as tx:
            for statement in _DELETE_EXPIRED:
                await tx.execute(statement, now=tx.now)
