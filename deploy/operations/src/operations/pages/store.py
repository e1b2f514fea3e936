"""SQL of the overview: counts of the last hour, and since when invariants are broken."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.database import Tx

_HOUR = timedelta(hours=1)
#: `known_at` has the small index; `told_at` excludes facts that a backlog delivered late.
_COUNTS = """
SELECT topic, count(*) AS rows FROM facts WHERE known_at >= :since AND told_at >= :since GROUP BY topic
"""
_TIMES = """
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY taken) AS p50,
  percentile_cont(0.99) WITHIN GROUP (ORDER BY taken) AS p99
FROM (SELECT extract(epoch FROM o.delivered_at - o.paid_at)::float AS taken
      FROM facts f JOIN orders o USING (order_id)
      WHERE f.known_at >= :since AND f.told_at >= :since AND f.topic = 'notifications.qr-delivered'
        AND o.paid_at IS NOT NULL AND o.delivered_at >= o.paid_at) deliveries
"""
_BROKEN = """
SELECT invariant, min(COALESCE(since, first_seen_at)) AS since FROM violations WHERE resolved_at IS NULL
GROUP BY invariant
"""


@dataclass(slots=True, frozen=True)
class LastHour:
    """Counts of the facts of the last hour. `p50`, `p99`: seconds from paid to delivered; None without a delivery."""

    placed: int
    paid: int
    delivered: int
    failed: int
    refunds: int
    p50: float | None
    p99: float | None


async def last_hour(tx: Tx) -> LastHour:
    """Counts the facts that were published within the last hour."""
    since = tx.now - _HOUR
    rows = {row.topic: row.rows for row in await tx.execute(_COUNTS, since=since)}
    times = (await tx.execute(_TIMES, since=since)).one()
    return LastHour(
        placed=rows.get("ordering.order-placed", 0),
        paid=rows.get("payments.order-paid", 0),
        delivered=rows.get("notifications.qr-delivered", 0),
        failed=rows.get("provisioning.profile-failed", 0),
        refunds=rows.get("payments.refund-settled", 0),
        p50=times.p50,
        p99=times.p99,
    )


async def broken_since(tx: Tx) -> dict[str, datetime]:
    """The beginning of the oldest open violation, by invariant."""
    return {row.invariant: row.since for row in await tx.execute(_BROKEN)}
