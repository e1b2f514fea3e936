"""SQL: the audit log, which says who did what, to what, why, and with which outcome."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from operations.hashes import NameFingerprints
from operations.tables import audit
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.signin.sign_in import Journal, Refusal

#: Begins `who` of everybody who uses the pages: `staff:anna`.
KIND = "staff"
_REFUSED = "sign_in_refused"
#: The most refused sign-ins that are stored within the window, so that an attack cannot fill the table.
_MOST, _WINDOW = 50, timedelta(hours=1)
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('audit.sign_in_refused'))"
_COUNT_RECENT = "SELECT count(*) FROM audit WHERE what = :what AND at > :since"
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
    """Write an entry. Without `outcome` the action is about to begin, and `AuditLog.finish` adds its outcome."""
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


def journal(fingerprints: NameFingerprints) -> Journal:
    """Writes sign-ins, refused sign-ins and sign-outs to the audit log."""

    async def signed_in(tx: Tx, who: str, means: str) -> None:
        await record(tx, who, "signed_in", outcome={"means": means})

    async def refused(tx: Tx, refusal: Refusal) -> None:
        await tx.execute(_ONE_AT_A_TIME)
        before = (await tx.execute(_COUNT_RECENT, what=_REFUSED, since=tx.now - _WINDOW)).scalar()
        if before >= _MOST:
            return
        fingerprint = fingerprints.of(refusal.typed) if refusal.typed else "(unknown)"
        outcome = {"refused": refusal.why, "means": refusal.means}
        if before == _MOST - 1:
            outcome["further"] = f"not written before the hour of these {_MOST} is over"
        await record(tx, refusal.who or f"{KIND}:{fingerprint}", _REFUSED, outcome=outcome)

    async def signed_out(tx: Tx, who: str) -> None:
        await record(tx, who, "signed_out", outcome={"session": "ended"})

    return Journal(signed_in, refused, signed_out)


class AuditLog:
    """The audit log of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, who: str, what: str, subject: str, reason: str) -> UUID:
        """Write and commit an entry before the action begins."""
        async with self._database.transaction() as tx:
            return await record(tx, who, what, subject, reason)

    async def finish(self, entry: UUID, outcome: Mapping[str, Any]) -> None:
        """Add the outcome (JSON) to an entry."""
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
