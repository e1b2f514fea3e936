"""SQL of updates."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ordering.tables import updates
from ordering.updates.models import Update
from shared.database import Tx
from shared.ids import uuid7_floor

_DELETE = """
DELETE FROM updates WHERE update_id IN (
  SELECT update_id FROM updates WHERE update_id < :before ORDER BY update_id LIMIT :most)
"""


async def insert(tx: Tx, new: Sequence[Update]) -> set[UUID]:
    """Insert updates with one statement; (order, type, ref) is unique. Returns the ids of those that were not there."""
    rows = [
        {
            "update_id": update.id,
            "storefront": update.storefront,
            "order_id": update.order_id,
            "type": update.type,
            "ref": update.ref,
            "occurred_at": update.occurred_at,
            "body": update.body,
            "trace": update.trace,
        }
        # One locking order, so that two instances that write the same updates do not deadlock.
        for update in sorted(new, key=_place)
    ]
    return {row.update_id for row in await tx.insert(updates, rows, returning="update_id")}


async def delete_older(tx: Tx, before: datetime, most: int) -> int:
    """Delete at most this many updates that were written before that moment; returns how many."""
    return (await tx.execute(_DELETE, before=uuid7_floor(before), most=most)).rowcount


def _place(update: Update) -> tuple[int, str, str]:
    return (update.order_id.int if update.order_id else 0, update.type, update.ref)
