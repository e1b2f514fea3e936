"""Counts what is about to be missed, and lets go of what need not be kept any longer."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import Outcome, case_state
from refunds.cases.store.cases import FAILED, case_of
from refunds.policy.models.calendar import Calendar
from refunds.policy.rules.order_policies import OrderPolicies
from shared.database import Database
from shared.signin.tables import EXPIRED
from shared.supervision import Loop

_EVERY_SECONDS = 15.0
_TIDY_SECONDS = 3600.0
_SOON = timedelta(hours=24)
_BUSINESS_DAYS = 2

_DEADLINES = """
SELECT f.storefront, c.due_kind AS kind, c.due_at FROM cases c JOIN order_facts f USING (order_id)
WHERE c.closed_at IS NULL AND c.due_at IS NOT NULL
UNION ALL SELECT storefront, 'claim', answer_by FROM claims WHERE answered_at IS NULL
"""
_OPEN = f"""
SELECT f.storefront, c.*, r.settled_at AS out_settled, {FAILED} AS out_failed, r.failure AS out_failure
FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE c.closed_at IS NULL
"""
_TIDY = ("DELETE FROM notes WHERE keep_until < :now", *EXPIRED)


class Watch:
    """A loop of the service; what it shows is this instance's view of the same tables."""

    def __init__(self, database: Database, policies: OrderPolicies, metrics: CaseMetrics) -> None:
        self._database = database
        self._policies = policies
        self._metrics = metrics

    async def run(self, loop: Loop) -> None:
        """Until cancelled."""
        tidied: float | None = None

        async def step() -> None:
            nonlocal tidied
            await self.look()
            loop.progress()
            if tidied is None or time.monotonic() - tidied > _TIDY_SECONDS:
                await self._tidy()
                tidied = time.monotonic()

        await loop.repeat(step, _EVERY_SECONDS, "watch_failed")

    async def look(self) -> None:
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
                state = case_state(case_of(row), Outcome(row.out_settled, row.out_failed, row.out_failure))
                open_cases[row.storefront, state] = open_cases.get((row.storefront, state), 0) + 1
        self._metrics.show(due, open_cases)

    async def _tidy(self) -> None:
        async with self._database.transaction("maintain") as tx:
            for statement in _TIDY:
                await tx.execute(statement, now=tx.now)


def windows(due_at: datetime, now: datetime, calendar: Calendar) -> tuple[str, ...]:
    """Which windows a deadline falls into: `overdue`, or `24h` and `2_business_days` (both where it is that soon)."""
    if due_at <= now:
        return ("overdue",)
    found: Mapping[str, datetime] = {
        "24h": now + _SOON,
        "2_business_days": calendar.after_business_days(now, _BUSINESS_DAYS),
    }
    return tuple(name for name, end in found.items() if due_at <= end)
