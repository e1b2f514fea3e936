"""SQL of updates, and of the deliveries that begin with them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ordering.updates.models import DELIVER_WEBHOOKS, RETRIED_FOR, RETRY_WEBHOOKS, Update
from shared.database import Tx
from shared.ids import uuid7_floor

#: A row for each update that was not there yet, and one for each endpoint that has a new delivery, with the kind of its
#: task.
_INSERT = """
WITH new AS (
  INSERT INTO updates (update_id, storefront, order_id, type, ref, occurred_at, body, trace)
  SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:storefronts AS text[]), CAST(:orders AS uuid[]),
    CAST(:types AS text[]), CAST(:refs AS text[]), CAST(:moments AS timestamptz[]), CAST(:bodies AS jsonb[]),
    CAST(:traces AS text[]))
  ON CONFLICT (order_id, type, ref) DO NOTHING
  RETURNING update_id, storefront, order_id, type),
deliveries AS (
  INSERT INTO webhook_deliveries (endpoint_id, update_id, order_id, state, due_at, give_up_at)
  SELECT e.endpoint_id, new.update_id, new.order_id, 'waiting', :now, :give_up_at
  FROM new JOIN webhook_endpoints e ON e.storefront = new.storefront AND e.disabled_at IS NULL
    AND (e.types IS NULL OR e.types ? new.type)
  RETURNING endpoint_id)
SELECT update_id, NULL::uuid AS endpoint_id, NULL AS kind FROM new
UNION ALL SELECT NULL::uuid, endpoint_id, CASE WHEN failures > 0 THEN :retry ELSE :deliver END
FROM webhook_endpoints WHERE endpoint_id IN (SELECT endpoint_id FROM deliveries)
"""
#: Deliveries are found by endpoint, the first column of their primary key.
_DELETE_DELIVERIES = """
DELETE FROM webhook_deliveries d USING webhook_endpoints e
WHERE d.endpoint_id = e.endpoint_id AND d.update_id <= :last
"""
_DELETE = """
WITH gone AS (
  DELETE FROM updates WHERE update_id IN (
    SELECT update_id FROM updates WHERE update_id < :before ORDER BY update_id LIMIT :most)
  RETURNING update_id)
SELECT count(*) AS deleted, (SELECT update_id FROM gone ORDER BY update_id DESC LIMIT 1) AS last FROM gone
"""


async def insert(tx: Tx, new: Sequence[Update]) -> tuple[set[UUID], list[tuple[str, UUID]]]:
    """Insert updates, and a delivery for each endpoint that hears their type, with one statement.

    (order, type, ref) is unique. Returns the ids of the updates that were not there yet, and the endpoints that have
    new deliveries, each as the kind and key of its task.
    """
    # One locking order, so that two instances that write the same updates do not deadlock.
    ordered = sorted(new, key=_place)
    rows = await tx.execute(
        _INSERT,
        ids=[update.id for update in ordered],
        storefronts=[update.storefront for update in ordered],
        orders=[update.order_id for update in ordered],
        types=[update.type for update in ordered],
        refs=[update.ref for update in ordered],
        moments=[update.occurred_at for update in ordered],
        bodies=[update.body.decode() for update in ordered],
        traces=[update.trace for update in ordered],
        now=tx.now,
        give_up_at=tx.now + RETRIED_FOR,
        deliver=DELIVER_WEBHOOKS,
        retry=RETRY_WEBHOOKS,
    )
    inserted, endpoints = set(), []
    for row in rows:
        if row.endpoint_id is None:
            inserted.add(row.update_id)
        else:
            endpoints.append((row.kind, row.endpoint_id))
    return inserted, endpoints


async def delete_older(tx: Tx, before: datetime, most: int) -> int:
    """Delete at most this many updates written before that moment, with their deliveries; returns how many."""
    row = (await tx.execute(_DELETE, before=uuid7_floor(before), most=most)).one()
    if row.last is not None:
        await tx.execute(_DELETE_DELIVERIES, last=row.last)
    return int(row.deleted)


def _place(update: Update) -> tuple[int, str, str]:
    return (update.order_id.int if update.order_id else 0, update.type, update.ref)
