"""Stores e-mails and their files: sealed, each once, for a limited time."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from refunds.support_mail.models import File, Proof
from refunds.tables import support_mail_files, support_mails
from shared.database import Tx
from shared.sealed import CannotOpenError, Opener, Sealed, Sealer

#: A mail that opened nothing leaves a row without content for so long, so that it is counted once.
KEEP_IGNORED = timedelta(days=30)
_MOST_WAITING = 200
DAY = timedelta(days=1)

_ORDERS = """
SELECT f.order_id, f.order_number, f.buyer_id, f.storefront, f.paid_at, c.email_hash
FROM order_facts f LEFT JOIN contacts c USING (buyer_id)
WHERE f.storefront = :storefront AND f.paid_at IS NOT NULL
"""
_NAMED = f"{_ORDERS} AND (f.order_number = ANY(CAST(:numbers AS text[])) OR f.order_id = :tagged) LIMIT 50"
_OF_SENDER = f"{_ORDERS} AND c.email_hash = :sender ORDER BY f.paid_at DESC LIMIT 50"
#: Only mails whose sender is as sure: what strangers send in somebody's name does not count against the owner.
_RECENT = """
SELECT count(*) FROM support_mails WHERE sender_hash = :sender AND received_at > :since AND proof = :proof
  AND way <> 'form'
"""
#: Without a proof, because whoever calls has the order's key: e-mails and contact forms have one, or `unknown`.
_MESSAGES = """
SELECT count(*) FROM support_mails m
WHERE order_id = :order AND received_at > :since AND way NOT IN ('webhook', 'imap', 'lmtp') AND proof IS NULL
  AND NOT EXISTS (SELECT 1 FROM support_mail_files f WHERE f.mail_id = m.mail_id)
"""
_PLACE = """
UPDATE support_mails SET state = :state, why = :why, order_id = :order, buyer_id = :buyer, case_id = :case,
  claim_id = :claim, handled_at = :now, handled_by = :who WHERE mail_id = :mail
"""
_STORED_BEFORE = """
UPDATE support_mail_files n SET refusal = 'repeated', content = NULL
FROM support_mails m, support_mail_files f
WHERE n.mail_id = :mail AND n.refusal IS NULL AND m.mail_id <> :mail AND f.mail_id = m.mail_id AND m.state = 'placed'
  AND (m.case_id = :case OR (m.order_id = :order AND m.case_id IS NULL AND m.claim_id IS NULL))
  AND f.digest = n.digest AND f.content IS NOT NULL
"""
#: Evidence of an order. What a mail brings that nobody has placed, or that is a claim, has reached no case.
_KEPT = """
SELECT count(*) AS files, count(*) FILTER (WHERE f.digest = :digest) AS same
FROM support_mails m JOIN support_mail_files f USING (mail_id)
WHERE m.order_id = :order AND m.state = 'placed' AND (m.case_id IS NOT NULL OR m.claim_id IS NULL)
  AND f.content IS NOT NULL
"""
_STATE = "SELECT state FROM support_mails WHERE mail_id = :mail"
_WAITING = f"""
SELECT m.*, f.order_number FROM support_mails m LEFT JOIN order_facts f USING (order_id)
WHERE m.state = 'waiting' ORDER BY m.received_at, m.mail_id LIMIT {_MOST_WAITING}
"""
_ONE = """
SELECT m.*, f.order_number FROM support_mails m LEFT JOIN order_facts f USING (order_id) WHERE m.mail_id = :mail
"""
_LOCK = "SELECT * FROM support_mails WHERE mail_id = :mail AND state = 'waiting' FOR UPDATE"
_FILES = "SELECT number, kind, size, refusal, name FROM support_mail_files WHERE mail_id = :mail ORDER BY number"
_FILE = "SELECT kind, name, content FROM support_mail_files WHERE mail_id = :mail AND number = :number"
#: Uploads belong to the order, and so to each of its cases.
_OF_CASE = """
SELECT m.* FROM support_mails m JOIN cases c
  ON m.case_id = c.case_id OR (m.order_id = c.order_id AND m.case_id IS NULL AND m.claim_id IS NULL
                               AND m.state = 'placed')
WHERE c.case_id = :case ORDER BY m.received_at, m.mail_id
"""
_THREADS = """
SELECT case_id AS about, content, received_at FROM support_mails WHERE case_id = ANY(CAST(:ids AS uuid[]))
UNION ALL SELECT claim_id, content, received_at FROM support_mails WHERE claim_id = ANY(CAST(:ids AS uuid[]))
ORDER BY received_at
"""
_COUNT_WAITING = "SELECT storefront, count(*) FROM support_mails WHERE state = 'waiting' GROUP BY storefront"
#: Deletes the mails of buyers (PP 6.2), also those from their address that nobody has placed. Files go with them.
#: It runs before the hashes of the contact are erased.
ERASE_MAILS = """
DELETE FROM support_mails WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) OR sender_hash IN (
  SELECT email_hash FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND email_hash IS NOT NULL)
"""
DELETE_EXPIRED = "DELETE FROM support_mails WHERE keep_until < :now"


class Content(BaseModel):
    """What is kept of a mail. Sealed where it is stored."""

    model_config = ConfigDict(frozen=True)

    sender: str = field(repr=False)
    sender_name: str = field(repr=False)
    subject: str = field(repr=False)
    own: str = field(repr=False)
    quoted: str = field(repr=False)
    message_id: str = field(repr=False)
    references: tuple[str, ...] = field(default=(), repr=False)
    language: str = "en"


@dataclass(slots=True, frozen=True)
class NewMail:
    """A mail to store. `content` None: nothing of it is kept."""

    mail_id: UUID
    storefront: str
    way: str
    received_at: datetime
    state: str
    why: str | None
    proof: str | None
    sender_hash: bytes | None
    content: Content | None = field(repr=False)
    files: Sequence[File] = ()


class MailStore:
    """Reads and writes mails in the caller's transaction. `secret`: the key of hashes; `keep`: how long mails stay."""

    def __init__(self, opener: Opener, secret: bytes, keep: timedelta) -> None:
        self._opener = opener
        self._sealer = Sealer("refunds", opener.public_key)
        self._key = hmac.digest(secret, b"refunds support mails", "sha256")
        self._keep = keep

    async def insert(self, tx: Tx, mail: NewMail, trace: str | None) -> bool:
        """Store a mail and its files. False where it is stored already."""
        row = {
            "mail_id": mail.mail_id,
            "storefront": mail.storefront,
            "way": mail.way,
            "received_at": mail.received_at,
            "state": mail.state,
            "why": mail.why,
            "proof": mail.proof,
            "sender_hash": mail.sender_hash,
            "content": None if mail.content is None else self._seal(mail.content.model_dump_json().encode()),
            "keep_until": tx.now + (KEEP_IGNORED if mail.content is None else self._keep),
            "trace": trace,
        }
        inserted = await tx.insert(support_mails, [row], on_conflict="ON CONFLICT DO NOTHING", returning="mail_id")
        if not list(inserted):
            return False
        await self.add_files(tx, mail.mail_id, mail.files)
        return True

    async def add_files(self, tx: Tx, mail_id: UUID, files: Sequence[File], first: int = 0) -> None:
        """Store files of a mail, sealed. `first`: the number of the first of them."""
        rows = [
            {
                "mail_id": mail_id,
                "number": number,
                "digest": self._digest(file),
                "kind": file.kind,
                "size": file.size,
                "refusal": file.refusal,
                "name": self._seal(file.name.encode()),
                "content": None if file.refusal else self._seal(file.content),
            }
            for number, file in enumerate(files, first)
        ]
        await tx.insert(support_mail_files, rows, on_conflict="")

    async def kept_files(self, tx: Tx, order_id: UUID, file: File) -> tuple[int, bool]:
        """How many files are kept about an order, and whether this one is among them."""
        row = (await tx.execute(_KEPT, order=order_id, digest=self._digest(file))).one()
        return row.files, row.same > 0

    def content(self, row: Any) -> Content | None:
        """What a mail says; None where nothing is kept, or another key sealed it."""
        opened = None if row.content is None else self._open(row.content)
        return None if opened is None else Content.model_validate_json(opened)

    async def content_of(self, tx: Tx, mail_id: UUID) -> Content | None:
        """As `content`, by the id; None also where there is no such mail."""
        row = await mail_of(tx, mail_id)
        return None if row is None else self.content(row)

    def answerable(self, rows: Sequence[Any]) -> tuple[Any, Content] | None:
        """Of these mails, the oldest first, the last that has a thread to answer in: uploads and messages have none."""
        for row in reversed(rows):
            content = self.content(row)
            if content is not None and content.message_id:
                return row, content
        return None

    async def files(self, tx: Tx, mail_id: UUID) -> list[dict[str, Any]]:
        """The files of a mail without their contents: number, kind, size, refusal, name."""
        rows = (await tx.execute(_FILES, mail=mail_id)).mappings()
        return [row | {"name": (self._open(row["name"]) or b"").decode()} for row in rows]

    async def file(self, tx: Tx, mail_id: UUID, number: int) -> tuple[str, bytes] | None:
        """The media type and the content of a file; None where it is not kept."""
        row = (await tx.execute(_FILE, mail=mail_id, number=number)).one_or_none()
        opened = None if row is None or row.content is None else self._open(row.content)
        return None if row is None or opened is None else (row.kind, opened)

    def _digest(self, file: File) -> bytes:
        return hmac.new(self._key, file.digest.encode(), hashlib.sha256).digest()

    def _seal(self, plain: bytes) -> bytes:
        return base64.b64decode(self._sealer.seal(plain).box)

    def _open(self, sealed: bytes) -> bytes | None:
        try:
            return self._opener.open(Sealed(recipient="refunds", box=base64.b64encode(sealed).decode()))
        except CannotOpenError:
            return None


async def orders_named(tx: Tx, storefront: str, numbers: Sequence[str], tagged: UUID | None) -> Sequence[Any]:
    """Paid orders of the storefront with these numbers, and the one with this id; with the hash of their e-mail."""
    return (await tx.execute(_NAMED, storefront=storefront, numbers=list(numbers), tagged=tagged)).all()


async def orders_of_sender(tx: Tx, storefront: str, sender: bytes) -> Sequence[Any]:
    """Paid orders of the storefront whose e-mail has this hash, the newest first."""
    return (await tx.execute(_OF_SENDER, storefront=storefront, sender=sender)).all()


async def mails_since(tx: Tx, sender: bytes, proof: Proof, since: datetime) -> int:
    """How many mails of a sender have come since a moment, with the same proof of the sender."""
    return int((await tx.execute(_RECENT, sender=sender, proof=proof, since=since)).scalar())


async def messages_since(tx: Tx, order_id: UUID, since: datetime) -> int:
    """How many messages without an e-mail have come about an order since a moment."""
    return int((await tx.execute(_MESSAGES, order=order_id, since=since)).scalar())


async def state_of(tx: Tx, mail_id: UUID) -> str | None:
    """The state of a mail; None: there is none of this id."""
    row = (await tx.execute(_STATE, mail=mail_id)).one_or_none()
    return None if row is None else row.state


async def settle(
    tx: Tx,
    mail_id: UUID,
    state: str,
    *,
    why: str | None = None,
    order: Any = None,
    case_id: UUID | None = None,
    claim_id: UUID | None = None,
    who: str | None = None,
) -> None:
    """Record what became of a mail. `order`: what it belongs to, with `order_id` and `buyer_id`."""
    await tx.execute(
        _PLACE,
        mail=mail_id,
        state=state,
        why=why,
        order=None if order is None else order.order_id,
        buyer=None if order is None else order.buyer_id,
        case=case_id,
        claim=claim_id,
        now=None if state == "waiting" else tx.now,
        who=who,
    )
    if case_id is not None:
        await tx.execute(_STORED_BEFORE, mail=mail_id, case=case_id, order=None if order is None else order.order_id)


async def waiting(tx: Tx) -> Sequence[Any]:
    """Mails that wait for an agent, the oldest first (at most 200)."""
    return (await tx.execute(_WAITING)).all()


async def mail_of(tx: Tx, mail_id: UUID) -> Any:
    """A mail, or None."""
    return (await tx.execute(_ONE, mail=mail_id)).one_or_none()


async def lock_waiting(tx: Tx, mail_id: UUID) -> Any:
    """Lock a mail that waits; None where it does not wait any more."""
    return (await tx.execute(_LOCK, mail=mail_id)).one_or_none()


async def mails_of_case(tx: Tx, case_id: UUID) -> Sequence[Any]:
    """The mails that opened or joined a case and the uploads about its order, the oldest first."""
    return (await tx.execute(_OF_CASE, case=case_id)).all()


async def mails_of(tx: Tx, ids: Sequence[UUID]) -> Sequence[Any]:
    """The mails of these cases and claims, the oldest first: `about`, `content`, `received_at`."""
    return (await tx.execute(_THREADS, ids=sorted(ids))).all()


async def count_waiting(tx: Tx) -> dict[str, int]:
    """How many mails wait, by storefront."""
    return {row.storefront: row.count for row in await tx.execute(_COUNT_WAITING)}
