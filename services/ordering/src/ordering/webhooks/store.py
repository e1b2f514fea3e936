"""SQL of endpoints, secrets and deliveries."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ordering.tables import webhook_endpoints, webhook_secrets
from ordering.updates.models import DELIVER_WEBHOOKS, RETRIED_FOR, RETRY_WEBHOOKS
from ordering.webhooks.models import MOST_REDELIVERED, Attempt, DeliveryState, Due, Endpoint, Health, Redelivery
from shared.database import Tx
from shared.ids import uuid7, uuid7_floor

_ENDPOINT = """endpoint_id, storefront, url, description, types, created_at, disabled_at, disabled_reason, failures,
  failing_since, paused_until, succeeded_at"""
_OF_SHOP = "(CAST(:storefront AS text) IS NULL OR storefront = :storefront)"
_FIND = f"SELECT {_ENDPOINT} FROM webhook_endpoints WHERE endpoint_id = :id AND {_OF_SHOP}"
_LIST = f"SELECT {_ENDPOINT} FROM webhook_endpoints WHERE {_OF_SHOP} ORDER BY endpoint_id"
_CHANGE = f"""
UPDATE webhook_endpoints SET url = :url, description = :description, types = CAST(:types AS jsonb)
WHERE endpoint_id = :id RETURNING {_ENDPOINT}
"""
_ENABLE = """
UPDATE webhook_endpoints SET disabled_at = NULL, disabled_reason = NULL, failures = 0, failing_since = NULL,
  paused_until = NULL
WHERE endpoint_id = :id AND disabled_at IS NOT NULL
"""
_FORGET_FAILURES = """
UPDATE webhook_endpoints SET failures = 0, failing_since = NULL, paused_until = NULL WHERE endpoint_id = :id
"""
_DISABLE = """
UPDATE webhook_endpoints SET disabled_at = :now, disabled_reason = :reason
WHERE endpoint_id = :id AND disabled_at IS NULL
"""
_STOP = "UPDATE webhook_deliveries SET state = 'stopped' WHERE endpoint_id = :id AND state = 'waiting'"
_VALID_SECRETS = """
SELECT sealed FROM webhook_secrets WHERE endpoint_id = :id AND (expires_at IS NULL OR expires_at > :now)
ORDER BY created_at DESC
"""
_EXPIRE_SECRETS = """
UPDATE webhook_secrets SET expires_at = LEAST(COALESCE(expires_at, :at), :at) WHERE endpoint_id = :id
"""
_DELETE_EXPIRED_SECRETS = "DELETE FROM webhook_secrets WHERE endpoint_id = :id AND expires_at <= :now"
_DELETE_DELIVERIES = """
DELETE FROM webhook_deliveries WHERE endpoint_id = :id AND update_id IN (
  SELECT update_id FROM webhook_deliveries WHERE endpoint_id = :id LIMIT :most)
"""
_DUE = """
SELECT d.update_id, d.order_id, d.attempts, d.give_up_at, u.body::text AS body, u.trace
FROM webhook_deliveries d JOIN updates u USING (update_id)
WHERE d.endpoint_id = :id AND d.state = 'waiting' AND d.due_at <= :now
ORDER BY d.due_at, d.update_id LIMIT :most
"""
#: Endpoints that are neither disabled nor paused, have a due delivery, and have no task that will find it.
_WITHOUT_TASK = """
SELECT k.kind, e.endpoint_id
FROM webhook_endpoints e CROSS JOIN LATERAL (SELECT CASE WHEN e.failures > 0 THEN :retry ELSE :deliver END AS kind) k
WHERE e.disabled_at IS NULL AND (e.paused_until IS NULL OR e.paused_until <= :now)
  AND (CAST(:among AS uuid[]) IS NULL OR e.endpoint_id = ANY(CAST(:among AS uuid[])))
  AND EXISTS (SELECT 1 FROM webhook_deliveries d
              WHERE d.endpoint_id = e.endpoint_id AND d.state = 'waiting' AND d.due_at <= :now)
  AND NOT EXISTS (SELECT 1 FROM work w WHERE w.kind = k.kind AND w.key = e.endpoint_id::text)
"""
#: In the sequence of their ids, and before their deliveries: as all lock them.
_END_PAUSE = """
UPDATE webhook_endpoints SET paused_until = NULL WHERE endpoint_id IN (
  SELECT endpoint_id FROM webhook_endpoints
  WHERE storefront = :storefront AND paused_until > :now
    AND (CAST(:endpoint_id AS uuid) IS NULL OR endpoint_id = :endpoint_id)
  ORDER BY endpoint_id FOR UPDATE)
"""
#: Only while it waits: a shop that has disabled the endpoint meanwhile has stopped its deliveries.
_RECORD = """
UPDATE webhook_deliveries d SET state = a.state, due_at = a.due_at, attempts = d.attempts + 1, last_attempt_at = :now,
  last_status = a.status, last_latency_ms = a.latency, last_answer = a.answer, last_error = a.error
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:dues AS timestamptz[]), CAST(:statuses AS int[]),
            CAST(:latencies AS int[]), CAST(:answers AS text[]), CAST(:errors AS text[]))
  AS a(id, state, due_at, status, latency, answer, error)
WHERE d.endpoint_id = :endpoint_id AND d.update_id = a.id AND (d.state = 'waiting' OR a.state = 'delivered')
"""
_RECORD_HEALTH = """
UPDATE webhook_endpoints SET failures = :failures, failing_since = :since, paused_until = :paused,
  succeeded_at = :succeeded
WHERE endpoint_id = :id AND disabled_at IS NULL
"""
#: With the parameters of `_chosen`. `after` and `before` are ids of updates, which contain their time.
_CHOSEN = """
WITH chosen AS (
  SELECT update_id, storefront, order_id, type FROM updates
  WHERE storefront = :storefront AND update_id > :after AND update_id < :before
    AND (CAST(:update_id AS uuid) IS NULL OR update_id = :update_id)
    AND (CAST(:types AS text[]) IS NULL OR type = ANY(CAST(:types AS text[])))
  ORDER BY update_id LIMIT :most)"""
_HEARING = """JOIN webhook_endpoints e ON e.storefront = c.storefront AND e.disabled_at IS NULL
    AND (CAST(:endpoint_id AS uuid) IS NULL OR e.endpoint_id = :endpoint_id)
    AND (e.types IS NULL OR e.types ? c.type)"""
_COUNT_REDELIVERABLE = f"""
{_CHOSEN}
SELECT count(*) FILTER (WHERE d.state IS DISTINCT FROM 'delivered' OR NOT :undelivered) AS made,
  (SELECT count(*) FROM chosen) AS chosen
FROM chosen c {_HEARING}
  LEFT JOIN webhook_deliveries d ON d.endpoint_id = e.endpoint_id AND d.update_id = c.update_id
"""
_REDELIVER = f"""
{_CHOSEN},
made AS (
  INSERT INTO webhook_deliveries AS d (endpoint_id, update_id, order_id, state, due_at, give_up_at)
  SELECT e.endpoint_id, c.update_id, c.order_id, 'waiting', :now, :give_up_at
  FROM chosen c {_HEARING}
  ON CONFLICT (endpoint_id, update_id) DO UPDATE
    SET state = 'waiting', due_at = EXCLUDED.due_at, give_up_at = EXCLUDED.give_up_at, attempts = 0
    WHERE d.state <> 'delivered' OR NOT :undelivered
  RETURNING endpoint_id)
SELECT (SELECT count(*) FROM made) AS made, (SELECT count(*) FROM chosen) AS chosen,
  (SELECT update_id FROM chosen ORDER BY update_id DESC LIMIT 1) AS last,
  ARRAY(SELECT DISTINCT endpoint_id FROM made) AS endpoints
"""
_LOG = """
SELECT d.update_id, d.order_id, u.type, u.occurred_at, d.state, d.attempts, d.due_at, d.give_up_at, d.last_attempt_at,
  d.last_status, d.last_latency_ms, d.last_answer, d.last_error
FROM webhook_deliveries d JOIN updates u USING (update_id)
WHERE d.endpoint_id = :id AND d.update_id < :before AND (CAST(:state AS text) IS NULL OR d.state = :state)
ORDER BY d.update_id DESC LIMIT :most
"""
#: Up to 10,000 of each endpoint are counted, so that a backlog does not make this slow.
_WAITING = """
SELECT e.storefront, sum(n.waiting)::bigint AS waiting, min(n.oldest) AS oldest
FROM webhook_endpoints e CROSS JOIN LATERAL (
  SELECT count(*) AS waiting, min(due_at) AS oldest FROM (
    SELECT due_at FROM webhook_deliveries d WHERE d.endpoint_id = e.endpoint_id AND d.state = 'waiting'
    ORDER BY due_at LIMIT 10000) d) n
WHERE e.disabled_at IS NULL GROUP BY e.storefront
"""
_HIGHEST = UUID(int=2**128 - 1)
_LOWEST = UUID(int=0)


async def insert_endpoint(tx: Tx, endpoint: Endpoint) -> None:
    """Insert a new endpoint."""
    row = {
        "endpoint_id": endpoint.endpoint_id,
        "storefront": endpoint.storefront,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": endpoint.types,
        "created_at": endpoint.created_at,
    }
    await tx.insert(webhook_endpoints, [row])


async def find_endpoint(tx: Tx, endpoint_id: UUID, storefront: str | None) -> Endpoint | None:
    """That endpoint of that shop (None: of any)."""
    row = (await tx.execute(_FIND, id=endpoint_id, storefront=storefront)).one_or_none()
    return None if row is None else Endpoint(*row)


async def lock_endpoint(tx: Tx, endpoint_id: UUID, storefront: str | None) -> Endpoint | None:
    """The same, and nobody else changes it before the commit."""
    row = (await tx.execute(_FIND + " FOR UPDATE", id=endpoint_id, storefront=storefront)).one_or_none()
    return None if row is None else Endpoint(*row)


async def list_endpoints(tx: Tx, storefront: str | None) -> list[Endpoint]:
    """All endpoints of a shop (None: of all shops), the oldest first."""
    return [Endpoint(*row) for row in await tx.execute(_LIST, storefront=storefront)]


async def change_endpoint(tx: Tx, endpoint_id: UUID, url: str, description: str, types: str | None) -> Endpoint:
    """Set what a shop may change; `types` is a JSON list, or None for all."""
    return Endpoint(*(await tx.execute(_CHANGE, id=endpoint_id, url=url, description=description, types=types)).one())


async def enable(tx: Tx, endpoint_id: UUID) -> None:
    """Send to it again, as if it had never failed."""
    await tx.execute(_ENABLE, id=endpoint_id)


async def forget_failures(tx: Tx, endpoint_id: UUID) -> None:
    """They were those of another URL."""
    await tx.execute(_FORGET_FAILURES, id=endpoint_id)


async def disable(tx: Tx, endpoint_id: UUID, reason: str) -> int | None:
    """Send nothing more to it. Returns how many deliveries were stopped; None where it is disabled already."""
    if not (await tx.execute(_DISABLE, id=endpoint_id, reason=reason, now=tx.now)).rowcount:
        return None
    return (await tx.execute(_STOP, id=endpoint_id)).rowcount


async def delete_deliveries(tx: Tx, endpoint_id: UUID, most: int) -> int:
    """Delete at most this many deliveries of an endpoint; returns how many."""
    return (await tx.execute(_DELETE_DELIVERIES, id=endpoint_id, most=most)).rowcount


async def delete_endpoint(tx: Tx, endpoint_id: UUID) -> None:
    """Delete an endpoint with its secrets."""
    await tx.execute("DELETE FROM webhook_secrets WHERE endpoint_id = :id", id=endpoint_id)
    await tx.execute("DELETE FROM webhook_endpoints WHERE endpoint_id = :id", id=endpoint_id)


# --- secrets ----------------------------------------------------------------------------------------------------------


async def insert_secret(tx: Tx, endpoint_id: UUID, sealed: str) -> UUID:
    """Insert a sealed secret that does not expire; returns its id."""
    secret_id = uuid7()
    row = {"secret_id": secret_id, "endpoint_id": endpoint_id, "sealed": sealed, "created_at": tx.now}
    await tx.insert(webhook_secrets, [row])
    return secret_id


async def expire_secrets(tx: Tx, endpoint_id: UUID, at: datetime) -> None:
    """Let all secrets of an endpoint expire then, or earlier where that is set; delete those that have expired."""
    await tx.execute(_EXPIRE_SECRETS, id=endpoint_id, at=at)
    await tx.execute(_DELETE_EXPIRED_SECRETS, id=endpoint_id, now=tx.now)


async def valid_secrets(tx: Tx, endpoint_id: UUID) -> list[str]:
    """The sealed secrets that sign now, the newest first."""
    return (await tx.execute(_VALID_SECRETS, id=endpoint_id, now=tx.now)).scalars()


# --- deliveries -------------------------------------------------------------------------------------------------------


async def find_due(tx: Tx, endpoint_id: UUID, most: int) -> list[Due]:
    """Deliveries whose time has come, the longest waiting first."""
    return [Due(*row) for row in await tx.execute(_DUE, id=endpoint_id, now=tx.now, most=most)]


async def without_task(tx: Tx, among: Collection[UUID] | None = None) -> list[tuple[str, UUID]]:
    """The endpoints (of these, or of all) that have a due delivery and no task, each as the task's kind and key."""
    ids = None if among is None else list(among)
    rows = await tx.execute(_WITHOUT_TASK, now=tx.now, deliver=DELIVER_WEBHOOKS, retry=RETRY_WEBHOOKS, among=ids)
    return [(row.kind, row.endpoint_id) for row in rows]


async def record_attempts(tx: Tx, endpoint_id: UUID, attempts: Sequence[Attempt]) -> None:
    """Store what became of these deliveries, with one statement."""
    await tx.execute(
        _RECORD,
        endpoint_id=endpoint_id,
        now=tx.now,
        ids=[attempt.update_id for attempt in attempts],
        states=[attempt.state for attempt in attempts],
        dues=[attempt.due_at for attempt in attempts],
        statuses=[attempt.status for attempt in attempts],
        latencies=[attempt.latency_ms for attempt in attempts],
        answers=[attempt.answer for attempt in attempts],
        errors=[attempt.error for attempt in attempts],
    )


async def record_health(tx: Tx, endpoint_id: UUID, health: Health) -> None:
    """Store how an endpoint does."""
    await tx.execute(
        _RECORD_HEALTH,
        id=endpoint_id,
        failures=health.failures,
        since=health.failing_since,
        paused=health.paused_until,
        succeeded=health.succeeded_at,
    )


async def redeliver(tx: Tx, storefront: str, chosen: Redelivery, after: UUID | None, most: int) -> Any:
    """Make up to `most` of the chosen updates due again, beginning behind `after`.

    Who asks for it says that the server works again: endpoints that are paused after failures are tried at once.
    Returns a row: deliveries `made`, updates `chosen`, the `last` update, and the `endpoints` that have deliveries now.
    """
    await tx.execute(_END_PAUSE, storefront=storefront, endpoint_id=chosen.endpoint_id, now=tx.now)
    return (
        await tx.execute(
            _REDELIVER,
            **_chosen(storefront, chosen, after, most),
            now=tx.now,
            give_up_at=tx.now + RETRIED_FOR,
        )
    ).one()


async def count_redeliverable(tx: Tx, storefront: str, chosen: Redelivery) -> tuple[int, bool]:
    """How many deliveries `redeliver` would make of the first 50,000 updates, and whether more updates are meant."""
    row = (await tx.execute(_COUNT_REDELIVERABLE, **_chosen(storefront, chosen, None, MOST_REDELIVERED + 1))).one()
    return row.made, row.chosen > MOST_REDELIVERED


def _chosen(storefront: str, chosen: Redelivery, after: UUID | None, most: int) -> dict[str, Any]:
    since = uuid7_floor(chosen.since) if chosen.since else _LOWEST
    return {
        "storefront": storefront,
        "endpoint_id": chosen.endpoint_id,
        "update_id": chosen.update_id,
        "after": after or UUID(int=max(0, since.int - 1)),
        "before": uuid7_floor(chosen.until) if chosen.until else _HIGHEST,
        "types": None if chosen.types is None else list(chosen.types),
        "undelivered": chosen.undelivered,
        "most": most,
    }


async def delivery_log(
    tx: Tx, endpoint_id: UUID, *, state: DeliveryState | None, before: UUID | None, most: int
) -> list[dict[str, Any]]:
    """Deliveries of an endpoint, the newest update first, those before an update only."""
    rows = await tx.execute(_LOG, id=endpoint_id, state=state, before=before or _HIGHEST, most=most)
    return rows.mappings()


async def waiting(tx: Tx) -> list[tuple[str, int, timedelta]]:
    """By shop: deliveries that wait, and since when the longest waiting one is due (zero: none is due yet)."""
    return [
        (row.storefront, row.waiting, max(tx.now - row.oldest, timedelta(0)) if row.oldest else timedelta(0))
        for row in await tx.execute(_WAITING)
    ]
