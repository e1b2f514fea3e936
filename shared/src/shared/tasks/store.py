"""SQL of the table `work`. Leases compare the database's clock only, so machines need not agree on the time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from shared.database import Tx
from shared.outcomes import State
from shared.tasks.models import Task

#: An instance that has not renewed its lease for this long loses its tasks to the others.
LEASE_SECONDS = 5.0

_CLAIM = """
WITH due AS (
  SELECT id FROM work
  WHERE owner IS NULL AND state <> 'parked' AND kind = :kind AND due_at <= :now
  ORDER BY due_at LIMIT :room FOR UPDATE SKIP LOCKED)
UPDATE work w SET owner = :owner FROM due WHERE w.id = due.id
RETURNING w.id, w.kind, w.key, w.payload, w.attempts, w.state, w.trace, w.created_at
"""
_DUE = """
SELECT k FROM unnest(CAST(:kinds AS text[])) AS kinds(k)
WHERE EXISTS (SELECT 1 FROM work w WHERE w.owner IS NULL AND w.state <> 'parked' AND w.kind = k AND w.due_at <= :now)
"""
#: One value: the ids of the rows that were deleted, or null where all were, as nearly always. That spares reading them.
_FINISH = """
WITH gone AS (DELETE FROM work WHERE id = ANY(CAST(:ids AS uuid[])) AND owner = :owner RETURNING id)
SELECT CASE WHEN count(*) < :expected THEN COALESCE(array_agg(id), '{}') END FROM gone
"""
#: The same of the rows that were inserted.
_INSERT = """
WITH new AS (
  INSERT INTO work (id, kind, key, payload, due_at, owner, trace, created_at)
  SELECT id, kind, key, payload, due_at, owner, trace, :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:keys AS text[]), CAST(:payloads AS jsonb[]),
              CAST(:dues AS timestamptz[]), CAST(:owners AS uuid[]), CAST(:traces AS text[]))
       AS n(id, kind, key, payload, due_at, owner, trace)
  ON CONFLICT (kind, key) DO NOTHING RETURNING id)
SELECT CASE WHEN count(*) < :expected THEN COALESCE(array_agg(id), '{}') END FROM new
"""
_POSTPONE = """
UPDATE work w SET owner = NULL, state = p.state, due_at = p.due_at, last_error = p.error, attempts = p.attempts
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:dues AS timestamptz[]),
            CAST(:errors AS text[]), CAST(:attempts AS int[])) AS p(id, state, due_at, error, attempts)
WHERE w.id = p.id AND w.owner = :owner
"""
_RENEW = """
WITH renewed AS (
  UPDATE instances SET expires_at = clock_timestamp() + make_interval(secs => :lease)
  WHERE id = :owner AND expires_at > clock_timestamp() RETURNING id)
SELECT EXISTS (SELECT 1 FROM renewed) AS renewed, clock_timestamp() AS now
"""
_REGISTER = """
INSERT INTO instances (id, expires_at) VALUES (:owner, clock_timestamp() + make_interval(secs => :lease))
RETURNING clock_timestamp() AS now
"""
_REMOVE_EXPIRED = "DELETE FROM instances WHERE expires_at < clock_timestamp()"
#: The instance that held these rows is gone, perhaps in the middle of a call: the outcome is unknown.
_RELEASE = """
UPDATE work SET owner = NULL, state = 'unknown', due_at = LEAST(due_at, :now)
WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = work.owner)
"""
_GIVE_BACK = "UPDATE work SET owner = NULL WHERE id = ANY(CAST(:ids AS uuid[])) AND owner = :owner"


@dataclass(slots=True)
class NewRow:
    """A task to insert. `payload` is JSON; `owner` holds it from the beginning."""

    id: UUID
    kind: str
    key: str
    payload: str
    due_at: datetime
    owner: UUID | None
    trace: str | None


@dataclass(frozen=True, slots=True)
class Setback:
    """What a task that is not settled becomes. `due_at`: when it is performed again, unless it is parked."""

    task_id: UUID
    state: State
    due_at: datetime
    reason: str
    attempts: int


async def register(tx: Tx, owner: UUID) -> datetime:
    """Register this worker instance. Returns the database's time."""
    now: datetime = (await tx.execute(_REGISTER, owner=owner, lease=LEASE_SECONDS)).scalar()
    return now


async def renew(tx: Tx, owner: UUID) -> tuple[bool, datetime]:
    """Renew the lease of this instance; False when it has expired. Returns the database's time too."""
    row = (await tx.execute(_RENEW, owner=owner, lease=LEASE_SECONDS)).one()
    return row.renewed, row.now


async def release_expired(tx: Tx, *, sweep: bool) -> bool:
    """Release the tasks of instances whose lease has expired. Returns whether there were any.

    Tasks of expired instances are released at once; `sweep` looks through all rows even when no instance expired.
    """
    expired = (await tx.execute(_REMOVE_EXPIRED)).rowcount
    return bool((expired or sweep) and (await tx.execute(_RELEASE, now=tx.now)).rowcount)


async def leave(tx: Tx, owner: UUID) -> None:
    """End the lease. The calls of the tasks still held may have happened: they are released as unknown."""
    await tx.execute("DELETE FROM instances WHERE id = :owner", owner=owner)
    await tx.execute(_RELEASE, now=tx.now)


async def due(tx: Tx, kinds: Sequence[str]) -> list[str]:
    """The kinds that have a due row which no instance holds."""
    return (await tx.execute(_DUE, kinds=list(kinds), now=tx.now)).scalars()


async def claim(tx: Tx, kind: str, owner: UUID, room: int) -> list[Task]:
    """Lease up to `room` due tasks of a kind."""
    rows = (await tx.execute(_CLAIM, kind=kind, now=tx.now, owner=owner, room=room)).all()
    return [Task(r.id, r.kind, r.key, r.payload, r.attempts, r.state == "unknown", r.trace, r.created_at) for r in rows]


async def finish(tx: Tx, ids: Sequence[UUID], owner: UUID) -> set[UUID]:
    """Remove finished rows; returns those that this owner still held (fencing)."""
    ordered = sorted(ids, key=attrgetter("int"))
    gone = (await tx.execute(_FINISH, ids=ordered, owner=owner, expected=len(ordered))).scalar()
    return set(ordered if gone is None else gone)


async def postpone(tx: Tx, setbacks: Sequence[Setback], owner: UUID) -> None:
    """Give tasks back that are performed again later, or parked."""
    if setbacks:
        await tx.execute(
            _POSTPONE,
            ids=[setback.task_id for setback in setbacks],
            states=[setback.state for setback in setbacks],
            dues=[setback.due_at for setback in setbacks],
            errors=[setback.reason for setback in setbacks],
            attempts=[setback.attempts for setback in setbacks],
            owner=owner,
        )


async def give_back(tx: Tx, ids: Sequence[UUID], owner: UUID) -> None:
    """Give back tasks that were not started."""
    await tx.execute(_GIVE_BACK, ids=list(ids), owner=owner)


async def insert(tx: Tx, rows: Sequence[NewRow]) -> set[UUID]:
    """Insert new tasks; returns the ids of those whose (kind, key) did not exist."""
    ids = [row.id for row in rows]
    inserted = await tx.execute(
        _INSERT,
        ids=ids,
        kinds=[row.kind for row in rows],
        keys=[row.key for row in rows],
        payloads=[row.payload for row in rows],
        dues=[row.due_at for row in rows],
        owners=[row.owner for row in rows],
        traces=[row.trace for row in rows],
        now=tx.now,
        expected=len(ids),
    )
    new = inserted.scalar()
    return set(ids if new is None else new)
