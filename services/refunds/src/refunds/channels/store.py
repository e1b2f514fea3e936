"""Chats where they are stored: found by a keyed hash, readable by this service alone, and only for a while."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from refunds.cases.store.cases import FAILED
from refunds.channels.rules import State
from refunds.tables import telegram_cases, telegram_chats, telegram_updates
from shared.database import Database, Tx
from shared.sealed import CannotOpenError, Opener, Sealed, Sealer
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_UPDATES_KEPT = timedelta(days=7)  # Telegram gives an update up after a day
_CLEANING_SECONDS = 3600.0

_LOCK = "SELECT sealed FROM telegram_chats WHERE chat_key = :key FOR UPDATE"
#: Two first messages of one chat, at once: the second waits here for the first.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
_KEEP = """
ON CONFLICT (chat_key) DO UPDATE
SET sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at, keep_until = EXCLUDED.keep_until
"""
_LAST = f"""
SELECT c.case_id, c.order_id, c.verdict, c.explanation, c.closed_as, r.settled_at, {FAILED} AS refused_at
FROM telegram_cases t JOIN cases c USING (case_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE t.chat_key = :key ORDER BY t.opened_at DESC, c.case_id DESC LIMIT 1
"""
_LISTENERS = """
SELECT t.case_id, t.chat_key, h.storefront, h.sealed FROM telegram_cases t JOIN telegram_chats h USING (chat_key)
WHERE t.case_id = ANY(CAST(:cases AS uuid[])) ORDER BY t.case_id, t.chat_key
"""
FORGET_BUYERS = """
WITH gone AS (
  DELETE FROM telegram_cases WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) RETURNING chat_key
), others AS (
  DELETE FROM telegram_cases t USING gone WHERE t.chat_key = gone.chat_key
)
DELETE FROM telegram_chats h USING gone WHERE h.chat_key = gone.chat_key
"""
_EXPIRE = (
    "DELETE FROM telegram_chats WHERE keep_until < :now",
    "DELETE FROM telegram_cases t WHERE NOT EXISTS (SELECT 1 FROM telegram_chats h WHERE h.chat_key = t.chat_key)",
    "DELETE FROM telegram_updates WHERE received_at < :updates_until",
)


@dataclass(slots=True, frozen=True)
class Listener:
    """A chat that is to hear of a case."""

    case_id: UUID
    storefront: str
    chat_key: bytes
    chat_id: int
    language: str


class Chats:
    """Reads and writes chats in the caller's transaction. `secret` keys the hashes; `keep`: since the last message."""

    def __init__(self, opener: Opener, secret: bytes, keep: timedelta) -> None:
        self._opener = opener
        self._sealer = Sealer("refunds", opener.public_key)
        self._key = hmac.digest(secret, b"refunds telegram", "sha256")
        self._keep = keep

    def key(self, storefront: str, chat_id: int) -> bytes:
        """What a chat is found by."""
        return hmac.new(self._key, f"{storefront}\x1f{chat_id}".encode(), hashlib.sha256).digest()

    async def take_in(self, tx: Tx, storefront: str, update_id: int) -> bool:
        """False where this update was taken in before."""
        row = {"storefront": storefront, "update_id": update_id, "received_at": tx.now}
        found = await tx.insert(telegram_updates, [row], on_conflict="ON CONFLICT DO NOTHING", returning="update_id")
        return bool(found)

    async def hold(self, tx: Tx, key: bytes) -> State | None:
        """What the chat had told, held until the commit; None: a new chat, or one that cannot be read any more."""
        await tx.execute(_ALONE, key=key.hex())
        sealed = (await tx.execute(_LOCK, key=key)).scalar()
        if sealed is None:
            return None
        opened = self._open(sealed)
        return None if opened is None else State.model_validate(opened["state"])

    async def keep(self, tx: Tx, key: bytes, storefront: str, chat_id: int, state: State) -> None:
        """Store what the chat has told."""
        plain = json.dumps({"chat": chat_id, "state": state.model_dump(mode="json", exclude_defaults=True)})
        row = {
            "chat_key": key,
            "storefront": storefront,
            "sealed": self._sealer.seal(plain.encode()).model_dump(),
            "updated_at": tx.now,
            "keep_until": tx.now + self._keep,
        }
        await tx.insert(telegram_chats, [row], on_conflict=_KEEP)

    async def link(self, tx: Tx, key: bytes, case_id: UUID, buyer_id: UUID) -> None:
        """Let the chat hear of a case."""
        row = {"case_id": case_id, "chat_key": key, "buyer_id": buyer_id, "opened_at": tx.now}
        conflict = "ON CONFLICT (case_id, chat_key) DO UPDATE SET opened_at = EXCLUDED.opened_at"
        await tx.insert(telegram_cases, [row], on_conflict=conflict)

    async def last_case(self, tx: Tx, key: bytes) -> Any:
        """The case that the chat asked for last, or None."""
        return (await tx.execute(_LAST, key=key)).first()

    async def listeners(self, tx: Tx, cases: Iterable[UUID]) -> list[Listener]:
        """Who is to hear of these cases."""
        found = []
        for row in await tx.execute(_LISTENERS, cases=sorted(cases)):
            opened = self._open(row.sealed)
            if opened is not None:
                language = State.model_validate(opened["state"]).language
                found.append(Listener(row.case_id, row.storefront, row.chat_key, opened["chat"], language))
        return found

    def seal_chat(self, chat_id: int) -> dict[str, Any]:
        """A chat's id for a row of due work."""
        return self._sealer.seal(str(chat_id).encode()).model_dump()

    def open_chat(self, sealed: dict[str, Any]) -> int | None:
        """The id again; None where another key sealed it."""
        try:
            return int(self._opener.open(Sealed.model_validate(sealed)))
        except CannotOpenError:
            return None

    def _open(self, sealed: dict[str, Any]) -> dict[str, Any] | None:
        try:
            value: dict[str, Any] = json.loads(self._opener.open(Sealed.model_validate(sealed)))
        except CannotOpenError:
            log.warning("telegram_chat_unreadable")
            return None
        return value


async def forget_buyers(tx: Tx, buyers: list[UUID]) -> None:
    """Delete the chats of these buyers, and what they hear of (PP 6.2)."""
    await tx.execute(FORGET_BUYERS, buyers=buyers)


async def clean(database: Database, loop: Loop) -> None:
    """Delete chats and updates whose time is over, every hour, for as long as the service runs."""

    async def expire() -> None:
        async with database.transaction("telegram") as tx:
            for statement in _EXPIRE:
                names = {"now": tx.now, "updates_until": tx.now - _UPDATES_KEPT}
                await tx.execute(statement, **{name: at for name, at in names.items() if f":{name}" in statement})
                loop.progress()

    await loop.repeat(expire, _CLEANING_SECONDS, "telegram_cleaning_failed")
