"""SQL that lists dead letters and records the decisions about them.

A decision deletes the sealed payload, and of the key and the headers all that the listing does not show
(`showing.shown`).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.core_tables import operations_log
from shared.database import Tx
from shared.ids import uuid7
from shared.operations.answers import Filter
from shared.operations.showing import fingerprint, shown

_COLUMNS = """id, topic, partition, record_offset, key, reason, detail, headers, payload, sealed, received_at, state,
  decided_at, decided_by, decision, redrives"""
_MATCHES = """
  (CAST(:topic AS text) IS NULL OR topic = CAST(:topic AS text))
  AND (CAST(:reason AS text) IS NULL OR reason = CAST(:reason AS text))
  AND (CAST(:key AS text) IS NULL OR key IN (CAST(:key AS text), CAST(:fingerprint AS text)))
  AND (CAST(:since AS timestamptz) IS NULL OR received_at >= CAST(:since AS timestamptz))
  AND (CAST(:until AS timestamptz) IS NULL OR received_at < CAST(:until AS timestamptz))
"""
_LIST = f"""
SELECT {_COLUMNS} FROM dead_letters
WHERE (CAST(:state AS text) IS NULL OR state = CAST(:state AS text)) AND {_MATCHES}
  AND (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid))
ORDER BY id DESC LIMIT :limit
"""
_ONE = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id"
_COUNT = f"SELECT count(*) FROM dead_letters WHERE state = 'waiting' AND {_MATCHES}"
_SELECT = f"SELECT id FROM dead_letters WHERE state = 'waiting' AND {_MATCHES} ORDER BY id LIMIT :limit"
_STATES = "SELECT id, state FROM dead_letters WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id"
_TAKE = f"SELECT {_COLUMNS} FROM dead_letters WHERE id = :id AND state = 'waiting' FOR UPDATE SKIP LOCKED"
_TAKE_ALL = """
SELECT id, topic, partition, record_offset, key, reason, detail, headers, sealed, state FROM dead_letters
WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'waiting' ORDER BY id FOR UPDATE SKIP LOCKED
"""
_SETTLE = """
UPDATE dead_letters d SET state = :state, decided_at = :now, decided_by = :who, decision = :why,
  redrives = redrives + :redrives, key = kept.key, detail = kept.detail, headers = kept.headers,
  payload = CASE WHEN sealed = 1 THEN NULL ELSE payload END
FROM unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:details AS text[]), CAST(:headers AS jsonb[]))
  AS kept (id, key, detail, headers)
WHERE d.id = kept.id
"""
_FAILED = "UPDATE dead_letters SET redrives = redrives + 1 WHERE id = :id"
#: One event may have two dead letters when the inbox had already dropped its identity; one redrive is enough. The other
#: one is decided: if it is sealed, it may hold fingerprints of what this one still holds.
_TWIN_REDRIVEN = """
SELECT 1 FROM dead_letters WHERE state = 'redriven' AND id <> :id AND topic = :topic AND reason = 'handler_failed'
  AND headers->>'ce_id' = :event AND headers->>'ce_source' IS NOT DISTINCT FROM CAST(:source AS text)
"""
_COUNTS = "SELECT state, count(*) AS rows FROM dead_letters GROUP BY state"
_LOG = """
SELECT id, at, who, action, subject, reason, details FROM operations_log
WHERE (CAST(:after AS uuid) IS NULL OR id < CAST(:after AS uuid)) ORDER BY id DESC LIMIT :limit
"""


async def page(tx: Tx, state: str | None, chosen: Filter, after: UUID | None, limit: int) -> list[Any]:
    """Dead letters of a state (None: of any), the newest first."""
    return (await tx.execute(_LIST, state=state, after=after, limit=limit, **_conditions(chosen))).all()


async def find(tx: Tx, letter_id: UUID) -> Any:
    """A dead letter, or None."""
    return (await tx.execute(_ONE, id=letter_id)).one_or_none()


async def matching(tx: Tx, chosen: Filter, limit: int) -> tuple[int, list[UUID]]:
    """How many waiting dead letters match, and the oldest of them."""
    count = int((await tx.execute(_COUNT, **_conditions(chosen))).scalar())
    return count, (await tx.execute(_SELECT, limit=limit, **_conditions(chosen))).scalars()


async def states(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of these dead letters, as far as they exist, the oldest first."""
    return {row.id: row.state for row in await tx.execute(_STATES, ids=list(ids))}


async def take(tx: Tx, letter_id: UUID) -> Any:
    """A waiting dead letter, locked until this transaction ends; None where it does not wait or is locked."""
    return (await tx.execute(_TAKE, id=letter_id)).one_or_none()


async def twin_redriven(tx: Tx, dead_letter: Any) -> bool:
    """Whether another dead letter of the same event was redriven already."""
    headers = shown(dead_letter).headers
    rows = await tx.execute(
        _TWIN_REDRIVEN,
        id=dead_letter.id,
        topic=dead_letter.topic,
        event=headers.get("ce_id", ""),
        source=headers.get("ce_source"),
    )
    return rows.first() is not None


async def redriven(tx: Tx, dead_letter: Any, who: str, why: str, *, applied: bool) -> None:
    """Record that it was redriven; `applied` is false where its fact had been applied meanwhile."""
    await _settle(tx, [dead_letter], "redriven", who, why, redrives=1)
    details = {**_place(dead_letter), "applied": applied}
    await write_log(tx, who, "dead-letter.redriven", why, {str(dead_letter.id): details})


async def failed_again(tx: Tx, dead_letter: Any, who: str, why: str, problem: str) -> None:
    """Record a redrive that failed; the dead letter goes on waiting."""
    await tx.execute(_FAILED, id=dead_letter.id)
    await write_log(
        tx, who, "dead-letter.redrive-failed", why, {str(dead_letter.id): {**_place(dead_letter), "problem": problem}}
    )


async def discard(tx: Tx, ids: Sequence[UUID], who: str, why: str) -> list[UUID]:
    """Decide dead letters without applying them; returns those that still waited."""
    rows = (await tx.execute(_TAKE_ALL, ids=list(ids))).all()
    await _settle(tx, rows, "discarded", who, why)
    await write_log(tx, who, "dead-letter.discarded", why, {str(row.id): _place(row) for row in rows})
    return [row.id for row in rows]


async def counts(tx: Tx) -> dict[str, int]:
    """Dead letters by state."""
    return {row.state: row.rows for row in await tx.execute(_COUNTS)}


async def write_log(tx: Tx, who: str, action: str, reason: str, subjects: dict[str, dict[str, Any]]) -> None:
    """One line per subject. Raises psycopg.Error."""
    await tx.insert(
        operations_log,
        [
            {
                "id": uuid7(),
                "at": tx.now,
                "who": who,
                "action": action,
                "subject": subject,
                "reason": reason,
                "details": details,
            }
            for subject, details in subjects.items()
        ],
    )


async def read_log(tx: Tx, after: UUID | None, limit: int) -> list[Any]:
    """What was done, the newest first."""
    return (await tx.execute(_LOG, after=after, limit=limit)).all()


async def _settle(tx: Tx, rows: Sequence[Any], state: str, who: str, why: str, *, redrives: int = 0) -> None:
    """Decide waiting dead letters that this transaction has locked."""
    kept = [shown(row) for row in rows]
    await tx.execute(
        _SETTLE,
        state=state,
        now=tx.now,
        who=who,
        why=why,
        redrives=redrives,
        ids=[row.id for row in rows],
        keys=[record.key for record in kept],
        details=[record.detail for record in kept],
        headers=[json.dumps(record.headers) for record in kept],
    )


def _place(row: Any) -> dict[str, Any]:
    return {"topic": row.topic, "partition": row.partition, "offset": row.record_offset, "reason": row.reason}


def _conditions(chosen: Filter) -> dict[str, str | datetime | None]:
    """A filter by key finds sealed dead letters too, also where only the key's fingerprint is left."""
    key_fingerprint = None if chosen.key is None else fingerprint(chosen.key)
    return {**chosen.model_dump(exclude={"service"}), "fingerprint": key_fingerprint}
