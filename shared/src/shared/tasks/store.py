"""The statements behind due work. Leases compare the database's clock only, so machines need not agree on time."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from shared.core_tables import work
from shared.database import Tx
from shared.tasks.models import Task

#: A process that has not shown itself for this long has lost its work to others.
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
SELECT k FROM unnest(CAST(:kinds AS text[])) AS asked(k)
WHERE EXISTS (SELECT 1 FROM work w WHERE w.owner IS NULL AND w.state <> 'parked' AND w.kind = k AND w.due_at <= :now)
"""
_FINISH = """
DELETE FROM work WHERE id = ANY(CAST(:ids AS uuid[])) AND owner = :owner RETURNING id
"""
_POSTPONE = """
UPDATE work w SET owner = NULL, state = p.state, due_at = p.due_at, last_error = p.error, attempts = p.attempts
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:dues AS timestamptz[]),
            CAST(:errors AS text[]), CAST(:attempts AS int[])) AS p(id, state, due_at, error, attempts)
WHERE w.id = p.id AND w.owner = :owner
"""
_BEAT = """
UPDATE instances SET expires_at = clock_timestamp() + make_interval(secs => :lease)
WHERE id = :owner AND expires_at > clock_timestamp() RETURNING id
"""
_JOIN = """
INSERT INTO instances (id, expires_at) VALUES (:owner, clock_timestamp() + make_interval(secs => :lease))
"""
_BURY = "DELETE FROM instances WHERE expires_at < clock_timestamp()"
#: Whoever held these rows is gone, perhaps in the middle of a call: the outcome is unknown.
_RELEASE = """
UPDATE work SET owner = NULL, state = 'unknown', due_at = LEAST(due_at, :now)
WHERE owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = work.owner)
"""
_GIVE_BACK = "UPDATE work SET owner = NULL WHERE id = ANY(CAST(:ids AS uuid[])) AND owner = :owner"


async def join(tx: Tx, owner: UUID) -> None:
    """Enter this process among the living."""
    await tx.execute(_JOIN, owner=owner, lease=LEASE_SECONDS)


async def beat(tx: Tx, owner: UUID, *, sweep: bool) -> bool:
    """Renew all leases of this process; False when it was already given up.

    What a buried process held is released at once; `sweep` looks through all rows even when nobody was buried.
    """
    renewed = (await tx.execute(_BEAT, owner=owner, lease=LEASE_SECONDS)).scalar() is not None
    buried = (await tx.execute(_BURY)).rowcount
    if buried or sweep:
        await tx.execute(_RELEASE, now=tx.now)
    return renewed


async def leave(tx: Tx, owner: UUID) -> None:
    """Leave: what is still in hand may have happened, and is anyone's."""
    await tx.execute("DELETE FROM instances WHERE id = :owner", owner=owner)
    await tx.execute(_RELEASE, now=tx.now)


async def due(tx: Tx, kinds: Sequence[str]) -> list[str]:
    """The kinds of which a row is due and nobody's."""
    return (await tx.execute(_DUE, kinds=list(kinds), now=tx.now)).scalars()


async def claim(tx: Tx, kind: str, owner: UUID, room: int) -> list[Task]:
    """Take up to `room` due items of a kind."""
    rows = (await tx.execute(_CLAIM, kind=kind, now=tx.now, owner=owner, room=room)).all()
    return [Task(r.id, r.kind, r.key, r.payload, r.attempts, r.state == "unknown", r.trace, r.created_at) for r in rows]


async def finish(tx: Tx, ids: Sequence[UUID], owner: UUID) -> set[UUID]:
    """Remove finished rows; returns those that were still ours (the fence)."""
    result = await tx.execute(_FINISH, ids=sorted(ids, key=attrgetter("int")), owner=owner)
    return set(result.scalars())


async def postpone(tx: Tx, items: Sequence[tuple[UUID, str, datetime, str, int]], owner: UUID) -> None:
    """Hand items back for later: (id, state, due_at, reason, attempts)."""
    if items:
        ids, states, dues, errors, attempts = (list(column) for column in zip(*items, strict=True))
        await tx.execute(_POSTPONE, ids=ids, states=states, dues=dues, errors=errors, attempts=attempts, owner=owner)


async def give_back(tx: Tx, ids: Sequence[UUID], owner: UUID) -> None:
    """Hand back items that were not begun."""
    await tx.execute(_GIVE_BACK, ids=list(ids), owner=owner)


async def insert(tx: Tx, rows: list[dict[str, Any]]) -> dict[UUID, UUID | None]:
    """Insert new work; returns the ids that are really new, with their owner."""
    made = await tx.insert(work, rows, on_conflict="ON CONFLICT (kind, key) DO NOTHING", returning="id, owner")
    return {row.id: row.owner for row in made}
