"""The audit trail: who did what on these pages, to what, why, and how it ended."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from operations.pages.tables import audit
from shared.database import Database, Tx
from shared.ids import uuid7

_FINISH = "UPDATE audit SET outcome = CAST(:outcome AS jsonb) WHERE entry_id = :entry AND outcome IS NULL"
_PAGE = """
SELECT entry_id, at, who, what, subject, reason, outcome FROM audit
WHERE (CAST(:before AS uuid) IS NULL OR entry_id < CAST(:before AS uuid))
  AND (CAST(:who AS text) IS NULL OR who = CAST(:who AS text))
ORDER BY entry_id DESC LIMIT :limit
"""
_ONE = "SELECT entry_id, at, who, what, subject, reason, outcome FROM audit WHERE entry_id = :entry"


async def record(
    tx: Tx, who: str, what: str, subject: str = "", reason: str = "", outcome: Mapping[str, Any] | None = None
) -> UUID:
    """One entry. Without `outcome` it is something that is about to be done: `finish` says how it ended."""
    entry = uuid7()
    row = {
        "entry_id": entry,
        "at": tx.now,
        "who": who,
        "what": what,
        "subject": subject,
        "reason": reason,
        "outcome": None if outcome is None else dict(outcome),
    }
    await tx.insert(audit, [row], on_conflict="")
    return entry


async def signed_in(tx: Tx, who: str, means: str) -> None:
    """Somebody came in."""
    await record(tx, who, "signed_in", outcome={"means": means})


class Trail:
    """The trail of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, who: str, what: str, subject: str, reason: str) -> UUID:
        """Committed before anything is done."""
        async with self._database.transaction() as tx:
            return await record(tx, who, what, subject, reason)

    async def finish(self, entry: UUID, outcome: Mapping[str, Any]) -> None:
        """How it ended. `outcome` is JSON."""
        async with self._database.transaction() as tx:
            await tx.execute(_FINISH, entry=entry, outcome=json.dumps(outcome))

    async def page(self, before: UUID | None, who: str | None, limit: int) -> list[Any]:
        """Entries, the newest first."""
        async with self._database.reading() as tx:
            return (await tx.execute(_PAGE, before=before, who=who, limit=limit)).all()

    async def find(self, entry: UUID) -> Any:
        """An entry, or None."""
        async with self._database.reading() as tx:
            return (await tx.execute(_ONE, entry=entry)).one_or_none()
