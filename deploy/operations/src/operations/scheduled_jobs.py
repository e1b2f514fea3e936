"""Deletes old records, so that the database stays bounded. What an open violation names is kept."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from shared.database import Database
from shared.signin.tables import EXPIRED
from shared.supervision import Loop

_EVERY_SECONDS = 3600.0
_BATCH = 5000

_FACTS = f"""
DELETE FROM facts WHERE event_id IN (SELECT event_id FROM facts WHERE known_at < :before LIMIT {_BATCH})
"""
#: An order is kept as long as its last fact; its other rows are deleted with it.
_ORDERS = f"""
WITH gone AS (
  DELETE FROM orders WHERE order_id IN (
    SELECT order_id FROM orders o WHERE o.known_at < :before
      AND NOT EXISTS (SELECT 1 FROM facts f WHERE f.order_id = o.order_id)
      AND NOT EXISTS (SELECT 1 FROM violations v WHERE v.order_id = o.order_id AND v.resolved_at IS NULL)
    LIMIT {_BATCH})
  RETURNING order_id
),
esims_gone AS (DELETE FROM esims WHERE order_id IN (SELECT order_id FROM gone)),
cases_gone AS (DELETE FROM cases WHERE order_id IN (SELECT order_id FROM gone)),
refunds_gone AS (DELETE FROM refunds WHERE order_id IN (SELECT order_id FROM gone)),
charges_gone AS (DELETE FROM charges WHERE order_id IN (SELECT order_id FROM gone))
SELECT order_id FROM gone
"""
_BUYERS = f"""
DELETE FROM buyers WHERE buyer_id IN (
  SELECT buyer_id FROM buyers b WHERE GREATEST(b.updated_at, b.erased_at) < :before
    AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.buyer_id = b.buyer_id) LIMIT {_BATCH})
"""
_ERASURES = """
DELETE FROM erasures WHERE requested_at < :before
  AND num_nulls(payments_at, provisioning_at, notifications_at, refunds_at) = 0
"""
_VIOLATIONS = "DELETE FROM violations WHERE resolved_at < :before"
_AUDIT = f"""
DELETE FROM audit WHERE entry_id IN (SELECT entry_id FROM audit WHERE at < :before ORDER BY at LIMIT {_BATCH})
"""


class DeleteOldRecords:
    """A background loop of the service, every hour."""

    def __init__(self, database: Database, keep: timedelta, keep_audit: timedelta) -> None:
        self._database = database
        self._keep = keep
        self._keep_audit = keep_audit

    async def run(self, loop: Loop) -> None:
        """Until cancelled."""
        await loop.repeat(partial(self.delete, loop.progress), _EVERY_SECONDS, "deletion_failed")

    async def delete(self, progress: Callable[[], None] = lambda: None) -> None:
        """Delete everything that is due, in batches, because a long transaction would hold up vacuum.

        `progress` is called after each batch.
        """
        for statement in (_FACTS, _ORDERS, _BUYERS, _ERASURES, _VIOLATIONS):
            await self._delete_batches(statement, self._keep, progress)
        async with self._database.transaction("delete_old_records") as tx:
            for statement in EXPIRED:
                await tx.execute(statement, now=tx.now)
        await self._delete_batches(_AUDIT, self._keep_audit, progress)

    async def _delete_batches(self, statement: str, keep: timedelta, progress: Callable[[], None]) -> None:
        deleted = _BATCH
        while deleted >= _BATCH:  # a full batch: there may be more
            async with self._database.transaction("delete_old_records") as tx:
                deleted = (await tx.execute(statement, before=tx.now - keep)).rowcount
            progress()
