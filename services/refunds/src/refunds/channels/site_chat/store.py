"""Stores the answers of conversations, sealed, until the shop fetches them; and counts wrong guesses of orders."""

import hmac
from datetime import timedelta
from typing import Any

from refunds.channels.site_chat.models import Answer, StoredAnswer
from refunds.channels.store import Chats
from refunds.tables import site_guesses
from shared.database import Tx
from shared.ids import uuid7
from shared.sealed import Sealed

#: Answers in one response.
MOST_ANSWERS = 100
#: Wrong pairs of this order number and a contact within a day, over all conversations of a shop.
GUESSES_PER_ORDER = 10
_DAY = timedelta(days=1)
#: The chat is locked: its answers are numbered one after the other, and none is committed before an earlier one. A chat
#: that was deleted meanwhile gets none.
_INSERT = """
INSERT INTO site_answers (chat_key, number, answer_key, sealed, at)
SELECT CAST(:chat AS bytea), COALESCE((SELECT max(number) FROM site_answers WHERE chat_key = :chat), 0) + 1,
  CAST(:key AS text), CAST(:sealed AS bytea), CAST(:now AS timestamptz)
WHERE EXISTS (SELECT 1 FROM site_chats WHERE chat_key = :chat)
ON CONFLICT (chat_key, answer_key) DO NOTHING RETURNING number
"""
_FIND = "SELECT number, sealed, at FROM site_answers WHERE chat_key = :chat AND answer_key = :key"
_AFTER = f"""
SELECT number, sealed, at FROM site_answers WHERE chat_key = :chat AND number > :after ORDER BY number
LIMIT {MOST_ANSWERS}
"""
_KNOWN = "SELECT 1 FROM site_chats WHERE chat_key = :chat"
#: Held until the commit, so that guesses from several conversations at once are counted one after the other.
_LOCK_GUESSES = "SELECT pg_advisory_xact_lock(hashtextextended('site guess ' || :key, 0))"
_GUESSES = "SELECT count(*) FROM site_guesses WHERE number_key = :key AND guessed_at > :since"
_END_GUESSES = "DELETE FROM site_guesses WHERE guessed_at < :until"


class SiteAnswers:
    """Reads and writes the answers of conversations in the caller's transaction."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def insert(self, tx: Tx, chat: bytes, key: str, answer: StoredAnswer) -> int | None:
        """Store an answer, once for each key: its number, or None where it is stored or the chat is gone."""
        sealed = self._chats.seal(answer.model_dump_json().encode()).model_dump_json().encode()
        return (await tx.execute(_INSERT, chat=chat, key=key, sealed=sealed, now=tx.now)).scalar()  # type: ignore[no-any-return] # a column

    async def find(self, tx: Tx, chat: bytes, key: str) -> list[Answer]:
        """The answer with this key; empty where there is none that can be read."""
        return self._read((await tx.execute(_FIND, chat=chat, key=key)).all())

    async def after(self, tx: Tx, chat: bytes, number: int) -> list[Answer] | None:
        """The answers after this number (at most MOST_ANSWERS); None: there is no such conversation."""
        if (await tx.execute(_KNOWN, chat=chat)).scalar() is None:
            return None
        return self._read((await tx.execute(_AFTER, chat=chat, after=number)).all())

    def _read(self, rows: Any) -> list[Answer]:
        read = []
        for row in rows:
            opened = self._chats.open(Sealed.model_validate_json(bytes(row.sealed)))
            if opened is not None:
                stored = StoredAnswer.model_validate_json(opened)
                read.append(Answer(number=row.number, at=row.at, **stored.model_dump()))
        return read


class Guesses:
    """Counts wrong pairs of an order number and a contact. The number is stored as a keyed hash, for a day."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"refunds site guesses", "sha256")

    async def too_many(self, tx: Tx, storefront: str, number: str) -> bool:
        """Whether so many were wrong that even a right one is refused today. Later guesses wait until the commit."""
        key = self._of(storefront, number)
        await tx.execute(_LOCK_GUESSES, key=key.hex())
        count = (await tx.execute(_GUESSES, key=key, since=tx.now - _DAY)).scalar()
        return int(count) >= GUESSES_PER_ORDER

    async def count(self, tx: Tx, storefront: str, number: str) -> None:
        """Count a wrong one, and forget those of yesterday."""
        await tx.execute(_END_GUESSES, until=tx.now - _DAY)
        row = {"guess_id": uuid7(), "number_key": self._of(storefront, number), "guessed_at": tx.now}
        await tx.insert(site_guesses, [row])

    def _of(self, storefront: str, number: str) -> bytes:
        return hmac.digest(self._key, f"{storefront}\x1f{number}".encode(), "sha256")
