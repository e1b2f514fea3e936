"""SQL of the recovery. Each statement changes nothing when it is repeated."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from provisioning.tables import profiles, top_ups
from shared.contracts import DataLow, ProfileExpired, ProfileExpiring, ProfileRevoked, RevocationRefused
from shared.database import Tx

_STORED = """
SELECT order_id, order_number, operator, profile_type, plan, iccid, matching_id FROM profiles
WHERE order_id = ANY(CAST(:ids AS uuid[])) AND state = 'ordered' ORDER BY order_id FOR UPDATE
"""
#: The matching id that is stored for this ICCID stays: an earlier release chose it at random.
_ENDED = """
ON CONFLICT (order_id) DO UPDATE
SET state = EXCLUDED.state, operator = EXCLUDED.operator, profile_type = EXCLUDED.profile_type, iccid = EXCLUDED.iccid,
    matching_id = CASE WHEN profiles.iccid = EXCLUDED.iccid THEN profiles.matching_id ELSE EXCLUDED.matching_id END,
    statuses = EXCLUDED.statuses, reason = EXCLUDED.reason, settled_at = EXCLUDED.settled_at
WHERE profiles.state = 'ordered'
"""
_FROM_STOCK = """
WITH sold AS (
  UPDATE stock_profiles s SET state = 'assigned', order_id = r.order_id, assigned_at = r.at
  FROM unnest(CAST(:ids AS uuid[]), CAST(:iccids AS text[]), CAST(:moments AS timestamptz[])) AS r(order_id, iccid, at)
  WHERE s.iccid = r.iccid AND s.order_id IS NULL RETURNING s.id, s.order_id, s.matching_id),
named AS (UPDATE profiles p SET matching_id = sold.matching_id FROM sold WHERE p.order_id = sold.order_id)
SELECT id FROM sold
"""
_NO_TASKS = "DELETE FROM work WHERE (kind = :kind OR kind LIKE :kind || ':%') AND key = ANY(CAST(:keys AS text[]))"
_TOP_UP = """
ON CONFLICT (order_id) DO UPDATE
SET state = EXCLUDED.state, iccid = EXCLUDED.iccid, esim_order_id = EXCLUDED.esim_order_id,
    operator = EXCLUDED.operator, statuses = EXCLUDED.statuses, reason = EXCLUDED.reason,
    total_bytes = EXCLUDED.total_bytes, plan_ends_at = EXCLUDED.plan_ends_at, settled_at = EXCLUDED.settled_at
WHERE top_ups.state = 'due'
"""
_REVOKED = """
UPDATE lives l SET revoked_at = r.at, revoked_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[]), CAST(:reasons AS text[])) AS r(order_id, at, reason)
WHERE l.order_id = r.order_id AND l.revoked_at IS NULL
"""
_REVOCATIONS = """
INSERT INTO revocations (case_id, order_id, reason, asked_at, begun_at, settled_at, outcome, detail)
SELECT case_id, order_id, reason, at, at, at, outcome, detail
FROM unnest(CAST(:cases AS uuid[]), CAST(:ids AS uuid[]), CAST(:reasons AS text[]), CAST(:moments AS timestamptz[]),
            CAST(:outcomes AS text[]), CAST(:details AS text[])) AS r(case_id, order_id, reason, at, outcome, detail)
ON CONFLICT (case_id) DO UPDATE
SET begun_at = COALESCE(revocations.begun_at, EXCLUDED.begun_at), settled_at = EXCLUDED.settled_at,
    outcome = EXCLUDED.outcome, detail = EXCLUDED.detail
WHERE revocations.settled_at IS NULL
"""
_EXPIRED = """
UPDATE lives l SET expired_at = r.at, expired_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[]), CAST(:reasons AS text[])) AS r(order_id, at, reason)
WHERE l.order_id = r.order_id AND l.expired_at IS NULL
"""
_ANNOUNCED = """
UPDATE lives l SET announced_end = r.at, announced_for = r.reason
FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[]), CAST(:reasons AS text[])) AS r(order_id, at, reason)
WHERE l.order_id = r.order_id AND (l.announced_end IS NULL OR l.announced_end < r.at)
"""
_LOW = """
UPDATE lives l SET thresholds = l.thresholds || jsonb_build_array(jsonb_build_object(
  'percent', CAST(:percent AS int), 'total_bytes', CAST(:total AS bigint), 'extra_bytes', l.extra_bytes))
WHERE l.order_id = :order_id AND NOT l.thresholds @> jsonb_build_array(jsonb_build_object(
  'percent', CAST(:percent AS int), 'total_bytes', CAST(:total AS bigint)))
"""
_ISSUED = "SELECT iccid FROM profiles WHERE iccid >= :first AND iccid LIKE :prefix || '%'"
_UNENDED = "SELECT order_number FROM profiles WHERE state = 'ordered' ORDER BY order_number LIMIT :most"


async def stored_attempts(tx: Tx, order_ids: Iterable[UUID]) -> dict[UUID, Any]:
    """The orders of these that have not ended in the backup, with the identity that they had; locked."""
    return {row.order_id: row for row in await tx.execute(_STORED, ids=list(order_ids))}


async def end_orders(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Store how orders ended; returns those that had not ended before."""
    ordered = sorted(rows, key=lambda row: row["order_id"].int)
    changed = await tx.insert(profiles, ordered, on_conflict=_ENDED, returning="order_id")
    await remove_tasks(tx, "provision", [str(row["order_id"]) for row in rows])
    return [row.order_id for row in changed]


async def take_from_stock(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Mark profiles of the stock that these orders were given; they are not sold a second time."""
    sold = await tx.execute(
        _FROM_STOCK,
        ids=[row["order_id"] for row in rows],
        iccids=[row["iccid"] for row in rows],
        moments=[row["settled_at"] for row in rows],
    )
    await remove_tasks(tx, "stock", [str(stock_id) for stock_id in sold.scalars()])


async def end_top_ups(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """Store how top-ups ended; returns those that had not ended before."""
    ordered = sorted(rows, key=lambda row: row["order_id"].int)
    changed = await tx.insert(top_ups, ordered, on_conflict=_TOP_UP, returning="order_id")
    await remove_tasks(tx, "life", [f"top_up:{row['order_id']}" for row in rows])
    return {row.order_id for row in changed}


async def revoke(tx: Tx, events: Sequence[ProfileRevoked]) -> None:
    """Store that profiles are revoked."""
    await tx.execute(
        _REVOKED,
        ids=[event.order_id for event in events],
        moments=[event.revoked_at for event in events],
        reasons=[event.reason for event in events],
    )


async def settle_revocations(tx: Tx, events: Sequence[ProfileRevoked | RevocationRefused]) -> None:
    """Store how cases that revoke a profile ended."""
    cases = {event.case_id: event for event in events if event.case_id is not None}
    of_cases = list(cases.values())
    revoked = [event if isinstance(event, ProfileRevoked) else None for event in of_cases]
    refused = [event if isinstance(event, RevocationRefused) else None for event in of_cases]
    await tx.execute(
        _REVOCATIONS,
        cases=list(cases),
        ids=[event.order_id for event in of_cases],
        reasons=[event.reason if event else "refund" for event in revoked],
        moments=[e.revoked_at if isinstance(e, ProfileRevoked) else e.refused_at for e in of_cases],
        outcomes=["revoked" if event else "refused" for event in revoked],
        details=[event.reason if event else None for event in refused],
    )
    await remove_tasks(tx, "life", [f"revoke:{case}" for case in cases])


async def expire(tx: Tx, events: Sequence[ProfileExpired]) -> None:
    """Store that profiles have expired."""
    await tx.execute(
        _EXPIRED,
        ids=[event.order_id for event in events],
        moments=[event.expired_at for event in events],
        reasons=[event.reason for event in events],
    )


async def announce(tx: Tx, events: Sequence[ProfileExpiring]) -> None:
    """Store which ends were announced."""
    newest = {event.order_id: event for event in sorted(events, key=lambda event: event.ends_at)}
    await tx.execute(
        _ANNOUNCED,
        ids=list(newest),
        moments=[event.ends_at for event in newest.values()],
        reasons=[event.reason for event in newest.values()],
    )


async def reach_thresholds(tx: Tx, events: Sequence[DataLow]) -> None:
    """Store which thresholds of used data were published."""
    for event in events:
        await tx.execute(_LOW, order_id=event.order_id, percent=event.threshold_percent, total=event.total_bytes)


async def remove_tasks(tx: Tx, kind: str, keys: Sequence[str]) -> None:
    """Remove tasks whose effect has been published, of all operators."""
    if keys:
        await tx.execute(_NO_TASKS, kind=kind, keys=list(keys))


async def issued_iccids(tx: Tx, prefix: str, first: str) -> list[str]:
    """The ICCIDs of a range from `first` on that orders have."""
    return list((await tx.execute(_ISSUED, prefix=prefix, first=first)).scalars())


async def unended_orders(tx: Tx, most: int) -> list[str]:
    """Numbers of orders that have no outcome yet."""
    return list((await tx.execute(_UNENDED, most=most)).scalars())
