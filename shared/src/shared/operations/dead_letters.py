"""The statements behind the dead letters' listing and the decisions about them.

What was sealed has served its purpose with the decision, and so have the key and the headers that came with it: only
what the listing shows of them is kept (`showing.shown`).
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
#: The same event may have been put aside twice, once the inbox had forgotten it; one redrive is enough. The other
#: letter is decided: where it is sealed, fingerprints may stand for what this one still has.
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
    """Letters of a state (None: of any), the newest first."""
    return (await tx.execute(_LIST, state=state, after=after, limit=limit, **_conditions(chosen))).all()


async def find(tx: Tx, letter_id: UUID) -> Any:
    """A letter, or None."""
    return (await tx.execute(_ONE, id=letter_id)).one_or_none()


async def matching(tx: Tx, chosen: Filter, limit: int) -> tuple[int, list[UUID]]:
    """How many letters wait that match, and the oldest of them."""
    count = int((await tx.execute(_COUNT, **_conditions(chosen))).scalar())
    return count, (await tx.execute(_SELECT, limit=limit, **_conditions(chosen))).scalars()


async def states(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The states of those of these letters that are there, the oldest first."""
    return {row.id: row.state for row in await tx.execute(_STATES, ids=list(ids))}


async def take(tx: Tx, letter_id: UUID) -> Any:
    """A waiting letter, ours until this transaction ends; None where it does not wait or somebody has it."""
    return (await tx.execute(_TAKE, id=letter_id)).one_or_none()


async def twin_redriven(tx: Tx, letter: Any) -> bool:
    """Whether another letter of the same event was redriven already."""
    headers = shown(letter).headers
    found = await tx.execute(
        _TWIN_REDRIVEN,
        id=letter.id,
        topic=letter.topic,
        event=headers.get("ce_id", ""),
        source=headers.get("ce_source"),
    )
    return found.first() is not None


async def redriven(tx: Tx, letter: Any, who: str, why: str, *, applied: bool) -> None:
    """The letter is settled; `applied` is false where its fact had been applied meanwhile."""
    await _settle(tx, [letter], "redriven", who, why, redrives=1)
    details = {**_place(letter), "applied": applied}
    await write_log(tx, who, "dead-letter.redriven", why, {str(letter.id): details})


async def failed_again(tx: Tx, letter: Any, who: str, why: str, problem: str) -> None:
    """The letter waits on."""
    await tx.execute(_FAILED, id=letter.id)
    await write_log(
        tx, who, "dead-letter.redrive-failed", why, {str(letter.id): {**_place(letter), "problem": problem}}
    )


async def discard(tx: Tx, ids: Sequence[UUID], who: str, why: str) -> list[UUID]:
    """Settle letters without applying them; returns those that still waited."""
    rows = (await tx.execute(_TAKE_ALL, ids=list(ids))).all()
    await _settle(tx, rows, "discarded", who, why)
    await write_log(tx, who, "dead-letter.discarded", why, {str(row.id): _place(row) for row in rows})
    return [row.id for row in rows]


async def counts(tx: Tx) -> dict[str, int]:
    """Letters by state."""
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
    """Waiting letters that this transaction holds are decided."""
    kept = [shown(row) for row in rows]
    await tx.execute(
        _SETTLE,
        state=state,
        now=tx.now,
        who=who,
        why=why,
        redrives=redrives,
        ids=[row.id for row in rows],
        keys=[one.key for one in kept],
        details=[one.detail for one in kept],
        headers=[json.dumps(one.headers) for one in kept],
    )


def _place(row: Any) -> dict[str, Any]:
    return {"topic": row.topic, "partition": row.partition, "offset": row.record_offset, "reason": row.reason}


def _conditions(chosen: Filter) -> dict[str, str | datetime | None]:
    """Who knows the key of a sealed letter finds it, also where only the key's fingerprint is left."""
    known = None if chosen.key is None else fingerprint(chosen.key)
    return {**chosen.model_dump(exclude={"service"}), "fingerprint": known}
