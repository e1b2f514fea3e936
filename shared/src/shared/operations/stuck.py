"""SQL that lists stuck tasks and makes them due now.

A parked task becomes `unknown`, never `due`: a call before it was parked may have had an effect, so its handler asks
the other side first. Two kinds of tasks are refused: those that a process holds now, and timers that are not over
(`due_at` is then a promised time, and no attempt has failed that could be repeated).
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.database import Tx
from shared.operations import dead_letters
from shared.operations.answers import WorkCount

_LIST = """
SELECT id, kind, key, state, attempts, due_at, created_at, last_error, trace, owner IS NOT NULL AS held FROM work
WHERE (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
  AND (CAST(:kind AS text) IS NULL OR kind = CAST(:kind AS text))
  AND (NOT CAST(:stuck AS boolean) OR state <> 'due' OR attempts > 0)
  AND (CAST(:about AS text) IS NULL OR strpos(key, CAST(:about AS text)) > 0
       OR payload->>'order_id' = CAST(:about AS text))
  AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
ORDER BY id LIMIT :limit
"""
_COUNTS = "SELECT kind, state, count(*) AS rows, min(due_at) AS oldest FROM work GROUP BY kind, state ORDER BY 1, 2"
_LOOK = """
SELECT id, owner IS NOT NULL AS held, state = 'due' AND attempts = 0 AND due_at > :now AS timer FROM work
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id
"""
_RETRY = """
WITH mine AS (
  SELECT id, state AS before FROM work
  WHERE id = ANY(CAST(:ids AS uuid[])) AND owner IS NULL AND NOT (state = 'due' AND attempts = 0 AND due_at > :now)
  ORDER BY id FOR UPDATE SKIP LOCKED)
UPDATE work w SET state = CASE WHEN w.state = 'parked' THEN 'unknown' ELSE w.state END, due_at = LEAST(w.due_at, :now)
FROM mine WHERE w.id = mine.id
RETURNING w.id, w.kind, w.key, mine.before, w.attempts
"""
_OUTBOX = "SELECT count(*) AS rows, min(born_at) AS oldest FROM outbox"
GONE = "it is not there: it was done meanwhile, or never was"
HELD = "a process has it in hand now"
TIMER = "it is a timer that has not come yet, not an attempt that failed"


async def page(
    tx: Tx,
    *,
    state: str | None,
    kind: str | None,
    about: str | None,
    stuck: bool,
    after: UUID | None,
    limit: int,
) -> list[Any]:
    """Tasks, the oldest first. `stuck`: only those that have been tried or wait for a person."""
    rows = await tx.execute(_LIST, state=state, kind=kind, about=about, stuck=stuck, after=after, limit=limit)
    return rows.all()


async def counts(tx: Tx) -> list[WorkCount]:
    """Tasks by kind and state."""
    return [
        WorkCount(kind=row.kind, state=row.state, rows=row.rows, oldest_due_at=row.oldest)
        for row in await tx.execute(_COUNTS)
    ]


async def outbox(tx: Tx) -> Any:
    """How many events wait to be published, and since when."""
    return (await tx.execute(_OUTBOX)).one()


async def refusals(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Why these tasks cannot be performed now, by id."""
    rows = {row.id: row for row in await tx.execute(_LOOK, ids=list(ids), now=tx.now)}
    reasons = {}
    for task_id in ids:
        row = rows.get(task_id)
        if row is None:
            reasons[task_id] = GONE
        elif row.held:
            reasons[task_id] = HELD
        elif row.timer:
            reasons[task_id] = TIMER
    return reasons


async def retry(tx: Tx, ids: Sequence[UUID], who: str, why: str) -> list[Any]:
    """Make these tasks due; returns those (id, kind) that are due with this transaction's commit."""
    rows = (await tx.execute(_RETRY, ids=list(ids), now=tx.now)).all()
    details = {
        str(row.id): {"kind": row.kind, "key": row.key, "before": row.before, "attempts": row.attempts} for row in rows
    }
    await dead_letters.write_log(tx, who, "work.retried", why, details)
    return rows
