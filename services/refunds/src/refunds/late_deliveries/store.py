"""Finds orders that were not delivered."""

from datetime import datetime, timedelta
from typing import Any

from shared.database import Tx

_UNDELIVERED = """
SELECT order_id, delivery_failed_at FROM order_facts
WHERE storefront = :storefront AND paid_at >= :since AND paid_at < :until AND paid_at + :limit <= :now
  AND delivered_at IS NULL AND top_up_applied_at IS NULL AND failed_at IS NULL AND revoked_at IS NULL
  AND settled_at IS NULL AND approved_minor < paid_minor
ORDER BY order_id
"""


async def undelivered(tx: Tx, storefront: str, since: datetime, until: datetime, limit: timedelta) -> list[Any]:
    """Orders paid in this period whose delivery is overdue: `order_id`, and `delivery_failed_at` of a bounced mail."""
    rows = await tx.execute(_UNDELIVERED, storefront=storefront, since=since, until=until, limit=limit, now=tx.now)
    return list(rows.all())
