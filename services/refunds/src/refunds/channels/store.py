"""Stores the chats of a channel: found by a keyed hash, read by this service only, deleted after a limited time."""

import hmac
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from refunds.cases import FAILED_AT
from refunds.channels.models import State
from refunds.tables import CHAT_TABLES
from shared.contracts import Language
from shared.database import Tx
from shared.sealed import CannotOpenError, Opener, Sealed, Sealer
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_UPDATES_KEPT = timedelta(days=7)  # Telegram repeats an update for a day, WhatsApp a message for days

#: Two concurrent first messages of one chat: the second waits for the first.
_LOCK_NEW = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
_KEEP = """
ON CONFLICT (chat_key) DO UPDATE
SET sealed = EXCLUDED.sealed, updated_at = EXCLUDED.updated_at, keep_until = EXCLUDED.keep_until
"""
#: By name; `{chats}`, `{cases}` and `{updates}` are the tables of a channel.
_STATEMENTS = {
    "lock": "SELECT sealed FROM {chats} WHERE chat_key = :key FOR UPDATE",
    "last": f"""
SELECT c.case_id, c.order_id, o.order_number, o.storefront, o.buyer_id, o.paid_at, c.verdict, c.explanation,
  c.closed_as, r.settled_at, {FAILED_AT} AS refused_at
FROM {{cases}} t JOIN cases c USING (case_id) JOIN order_facts o USING (order_id)
LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
WHERE t.chat_key = :key ORDER BY t.opened_at DESC, c.case_id DESC LIMIT 1
""",
    "followers": """
SELECT t.case_id, t.chat_key, h.storefront, h.sealed, h.updated_at FROM {cases} t JOIN {chats} h USING (chat_key)
WHERE t.case_id = ANY(CAST(:cases AS uuid[])) ORDER BY t.case_id, t.chat_key
""",
    # Deletes the chats of buyers, and which cases they follow (PP 6.2).
    "erase": """
WITH gone AS (
  DELETE FROM {cases} WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) RETURNING chat_key
), others AS (
  DELETE FROM {cases} t USING gone WHERE t.chat_key = gone.chat_key
)
DELETE FROM {chats} h USING gone WHERE h.chat_key = gone.chat_key
""",
    "end_chats": "DELETE FROM {chats} WHERE keep_until < :now",
    "end_cases": "DELETE FROM {cases} t WHERE NOT EXISTS (SELECT 1 FROM {chats} h WHERE h.chat_key = t.chat_key)",
    "end_updates": "DELETE FROM {updates} WHERE received_at < :updates_until",
}


def _statement(name: str, channel: str) -> str:
    tables = {kind: table.name for kind, table in CHAT_TABLES[channel].items()}
    return _STATEMENTS[name].format(**tables)


#: Run with `:buyers`.
ERASE_CHATS = tuple(_statement("erase", channel) for channel in CHAT_TABLES)


@dataclass(slots=True, frozen=True)
class Follower:
    """A chat that receives the answers of a case."""

    case_id: UUID
    storefront: str
    chat_key: bytes
    chat_id: int
    language: Language
    last_message_at: datetime


class Chats:
    """Reads and writes the chats of one channel in the caller's transaction.

    `secret`: the key of the hashes. `keep`: how long a chat is kept after its last message.
    """

    def __init__(self, channel: str, opener: Opener, secret: bytes, keep: timedelta) -> None:
        self._channel = channel
        self._tables = CHAT_TABLES[channel]
        self._opener = opener
        self._sealer = Sealer("refunds", opener.public_key)
        self._key = hmac.digest(secret, f"refunds {channel}".encode(), "sha256")
        self._keep = keep

    def key(self, storefront: str, chat_id: int) -> bytes:
        """The keyed hash by which a chat is found."""
        return hmac.digest(self._key, f"{storefront}\x1f{chat_id}".encode(), "sha256")

    async def store_update(self, tx: Tx, storefront: str, update_id: int) -> bool:
        """Store the id of an update. False where it was stored before."""
        row = {"storefront": storefront, "update_id": update_id, "received_at": tx.now}
        inserted = await tx.insert(
            self._tables["updates"], [row], on_conflict="ON CONFLICT DO NOTHING", returning="update_id"
        )
        return bool(inserted)

    async def lock(self, tx: Tx, key: bytes) -> State | None:
        """Lock a chat until the commit, and return its state; None: a new chat, or one that cannot be read any more."""
        await tx.execute(_LOCK_NEW, key=key.hex())
        sealed = (await tx.execute(self._sql("lock"), key=key)).scalar()
        if sealed is None:
            return None
        opened = self._open(sealed)
        return None if opened is None else State.model_validate(opened["state"])

    async def save(self, tx: Tx, key: bytes, storefront: str, chat_id: int, state: State) -> None:
        """Store the state of a chat."""
        plain = json.dumps({"chat": chat_id, "state": state.model_dump(mode="json", exclude_defaults=True)})
        row = {
            "chat_key": key,
            "storefront": storefront,
            "sealed": self._sealer.seal(plain.encode()).model_dump(),
            "updated_at": tx.now,
            "keep_until": tx.now + self._keep,
        }
        await tx.insert(self._tables["chats"], [row], on_conflict=_KEEP)

    async def follow(self, tx: Tx, key: bytes, case_id: UUID, buyer_id: UUID) -> None:
        """Send the answers of a case to this chat from now on."""
        row = {"case_id": case_id, "chat_key": key, "buyer_id": buyer_id, "opened_at": tx.now}
        conflict = "ON CONFLICT (case_id, chat_key) DO UPDATE SET opened_at = EXCLUDED.opened_at"
        await tx.insert(self._tables["cases"], [row], on_conflict=conflict)

    async def last_case(self, tx: Tx, key: bytes) -> Any:
        """The case that the chat opened or joined last, or None."""
        return (await tx.execute(self._sql("last"), key=key)).first()

    async def followers(self, tx: Tx, cases: Iterable[UUID]) -> list[Follower]:
        """The chats that follow these cases."""
        followers = []
        for row in await tx.execute(self._sql("followers"), cases=sorted(cases)):
            opened = self._open(row.sealed)
            if opened is not None:
                language = State.model_validate(opened["state"]).language
                chat = (row.case_id, row.storefront, row.chat_key, opened["chat"], language, row.updated_at)
                followers.append(Follower(*chat))
        return followers

    def number_of(self, kind: str, text: str) -> int:
        """An update's number where the channel has texts, which may hold a person's number: a keyed hash of 63 bits."""
        digest = hmac.digest(self._key, f"{kind}\x1f{text}".encode("utf-8", "replace"), "sha256")
        return int.from_bytes(digest[:8], "big") >> 1

    def seal_chat(self, chat_id: int) -> Sealed:
        """The id of a chat for the payload of a task."""
        return self.seal(str(chat_id).encode())

    def seal_words(self, words: str) -> Sealed:
        """What an agent wrote, for the payload of a task."""
        return self.seal(words.encode())

    def open_chat(self, sealed: Sealed) -> int | None:
        """The id of a chat; None where another key sealed it."""
        opened = self.open(sealed)
        return None if opened is None else int(opened)

    def seal(self, plain: bytes) -> Sealed:
        """Anything for the payload of a task."""
        return self._sealer.seal(plain)

    def open(self, sealed: Sealed) -> bytes | None:
        """What was sealed; None where another key sealed it."""
        try:
            return self._opener.open(sealed)
        except CannotOpenError:
            return None

    def _sql(self, name: str) -> str:
        return _statement(name, self._channel)

    def _open(self, sealed: dict[str, Any]) -> dict[str, Any] | None:
        opened = self.open(Sealed.model_validate(sealed))
        if opened is None:
            log.warning("chat_unreadable", channel=self._channel)
            return None
        value: dict[str, Any] = json.loads(opened)
        return value


async def delete_expired(tx: Tx, progress: Callable[[], None]) -> None:
    """Delete chats and updates whose time is over. `progress` is called after each statement."""
    ends = {"end_chats": {"now": tx.now}, "end_cases": {}, "end_updates": {"updates_until": tx.now - _UPDATES_KEPT}}
    for channel, (name, until) in product(CHAT_TABLES, ends.items()):
        await tx.execute(_statement(name, channel), **until)
        progress()
