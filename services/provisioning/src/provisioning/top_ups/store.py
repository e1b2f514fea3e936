"""SQL of top-ups."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.clients.models import AppliedTopUp
from provisioning.tables import top_ups
from provisioning.top_ups.models import Settlement, TopUpRow
from shared.contracts import Plan, TopUpApplied, order_fields
from shared.database import Tx

MEBIBYTE = 1024 * 1024
_ROWS = """
SELECT order_id, order_number, storefront, buyer_id, plan, iccid, esim_order_id, operator, state, reason, paid_at,
       deadline
FROM top_ups WHERE order_id = ANY(CAST(:ids AS uuid[]))
"""
_SETTLE = """
UPDATE top_ups t SET state = r.state, reason = r.reason, statuses = r.statuses, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:statuses AS jsonb[]))
     AS r(order_id, state, reason, statuses)
WHERE t.order_id = r.order_id AND t.state = 'due' RETURNING t.order_id
"""
#: In the transaction that settles the top-up, so that each counts once.
_EXTEND = """
UPDATE lives l SET extra_days = l.extra_days + r.days, extra_bytes = l.extra_bytes + r.bytes, extended_at = :now
FROM (SELECT order_id, sum(days) AS days, sum(bytes) AS bytes
      FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS int[]), CAST(:bytes AS bigint[])) AS one(order_id, days, bytes)
      GROUP BY order_id) AS r
WHERE l.order_id = r.order_id
"""
_TOTALS = """
UPDATE top_ups t SET total_bytes = r.total, plan_ends_at = r.ends
FROM unnest(CAST(:ids AS uuid[]), CAST(:totals AS bigint[]), CAST(:ends AS timestamptz[])) AS r(order_id, total, ends)
WHERE t.order_id = r.order_id
"""


async def add(tx: Tx, rows: Sequence[TopUpRow]) -> list[UUID]:
    """Insert top-ups, settled where they failed at once; returns those that are new."""
    values: list[dict[str, Any]] = [
        {
            **order_fields(row),
            "plan": row.plan.model_dump(mode="json"),
            "iccid": row.iccid,
            "esim_order_id": row.esim_order_id,
            "operator": row.operator,
            "state": row.state,
            "reason": row.reason,
            "statuses": [],
            "paid_at": row.paid_at,
            "deadline": row.deadline,
            "created_at": tx.now,
            "settled_at": tx.now if row.state == "failed" else None,
        }
        for row in rows
    ]
    on_conflict = "ON CONFLICT (order_id) DO NOTHING"
    return [row.order_id for row in await tx.insert(top_ups, values, on_conflict=on_conflict, returning="order_id")]


async def read(tx: Tx, order_ids: Iterable[UUID]) -> dict[UUID, TopUpRow]:
    """Top-ups by order."""
    rows = await tx.execute(_ROWS, ids=list(order_ids))
    return {row.order_id: _row(row) for row in rows}


async def settle(tx: Tx, settlements: Mapping[UUID, Settlement]) -> list[UUID]:
    """Store how top-ups ended; returns those that had not ended before, in order."""
    ids = sorted(settlements, key=lambda order_id: order_id.int)
    ended = [settlements[order_id] for order_id in ids]
    settled = await tx.execute(
        _SETTLE,
        now=tx.now,
        ids=ids,
        states=["applied" if isinstance(one, AppliedTopUp) else "failed" for one in ended],
        reasons=[None if isinstance(one, AppliedTopUp) else one.reason for one in ended],
        statuses=[
            "[]" if isinstance(one, AppliedTopUp) else json.dumps([status.model_dump() for status in one.statuses])
            for one in ended
        ],
    )
    return sorted(settled.scalars(), key=lambda order_id: order_id.int)


async def extend(tx: Tx, rows: Sequence[TopUpRow]) -> None:
    """Add the data and days of applied top-ups to their eSIMs."""
    await tx.execute(
        _EXTEND,
        now=tx.now,
        ids=[row.esim for row in rows],
        days=[row.plan.validity_days for row in rows],
        bytes=[row.plan.data_mb * MEBIBYTE for row in rows],
    )


async def save_totals(tx: Tx, events: Sequence[TopUpApplied]) -> None:
    """Store total bytes and the plan's end after these top-ups."""
    ends: list[datetime | None] = [event.plan_ends_at for event in events]
    await tx.execute(
        _TOTALS,
        ids=[event.order_id for event in events],
        totals=[event.total_bytes for event in events],
        ends=ends,
    )


def _row(row: Any) -> TopUpRow:
    return TopUpRow(**row._asdict() | {"plan": Plan.model_validate(row.plan)})
