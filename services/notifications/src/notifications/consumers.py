"""Facts in: whose contact is known gets the mail at once; the other mails wait, and the contact releases them.

A mail and a contact that arrive at the same moment in two instances must not miss each other. So a mail without a
contact locks (or makes) the contact's row first: then either it sees the contact, or the contact's handler sees it.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from notifications.recent import Contact, Known, Recent
from notifications.tables import contacts, mails
from shared.contracts import BuyerContact, ProfileGenerated, RefundApproved
from shared.database import Tx
from shared.messaging.consumer import Received, Tombstone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The job that sends each kind of mail.
JOBS: Mapping[str, str] = {"qr": "deliver_qr", "refund": "mail_refund"}

_CONTACTS = """
SELECT buyer_id, name, email, language, erased_at FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))
"""
_KEEP_PLACES = """
INSERT INTO contacts (buyer_id) SELECT unnest(CAST(:buyers AS uuid[]))
ON CONFLICT (buyer_id) DO UPDATE SET buyer_id = EXCLUDED.buyer_id
RETURNING buyer_id, name, email, language, erased_at
"""
_NEWEST_WINS = """
ON CONFLICT (buyer_id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, language = EXCLUDED.language, updated_at = EXCLUDED.updated_at
WHERE contacts.erased_at IS NULL AND (contacts.updated_at IS NULL OR contacts.updated_at < EXCLUDED.updated_at)
"""
_RELEASE = """
UPDATE mails m SET state = 'due' FROM contacts c
WHERE m.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.state = 'waiting'
  AND c.buyer_id = m.buyer_id AND c.email IS NOT NULL
RETURNING m.kind, m.subject_id, m.buyer_id, m.trace
"""
_ERASE = """
INSERT INTO contacts (buyer_id, erased_at) SELECT unnest(CAST(:buyers AS uuid[])), :now
ON CONFLICT (buyer_id) DO UPDATE
SET name = NULL, email = NULL, language = NULL, updated_at = NULL,
    erased_at = COALESCE(contacts.erased_at, EXCLUDED.erased_at)
"""
_DROP = """
UPDATE mails SET state = 'dropped', settled_at = :now
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND state = 'waiting'
"""


class Facts:
    """Applies what this service reads."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent

    async def profile_generated(self, tx: Tx, batch: Sequence[Received[ProfileGenerated]]) -> None:
        """The code must reach the buyer."""
        await self._mail(tx, "qr", {received.event.order_id: received for received in batch})

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """The buyer must hear that the money goes back, and why."""
        await self._mail(tx, "refund", {received.event.refund_id: received for received in batch})

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Keep the newest contact and release the mails that waited for it."""
        newest: dict[UUID, BuyerContact] = {}
        for received in batch:
            event = received.event
            if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
                newest[event.buyer_id] = event
        buyers = sorted(newest)
        rows = [newest[buyer].model_dump(include={column.name for column in contacts.c}) for buyer in buyers]
        await tx.insert(contacts, rows, on_conflict=_NEWEST_WINS)
        self._recent.forget(buyers)
        for mail in await tx.execute(_RELEASE, buyers=buyers):
            _schedule(tx, mail.kind, mail.subject_id, mail.buyer_id, mail.trace)

    async def buyer_erased(self, tx: Tx, batch: Sequence[Tombstone]) -> None:
        """Forget the buyer (PP 6.2). The id alone stays, so that a late contact does not bring the buyer back."""
        buyers = sorted({buyer for tombstone in batch if (buyer := _buyer(tombstone)) is not None})
        if not buyers:
            return
        await tx.execute(_ERASE, buyers=buyers, now=tx.now)
        await tx.execute(_DROP, buyers=buyers, now=tx.now)
        self._recent.forget(buyers)

    async def _mail(self, tx: Tx, kind: str, facts: Mapping[UUID, Received[Any]]) -> None:
        found = await _contacts(tx, {received.event.buyer_id for received in facts.values()})
        rows = []
        for subject_id in sorted(facts):
            event, trace = facts[subject_id].event, facts[subject_id].trace
            rows.append(
                {
                    "kind": kind,
                    "subject_id": subject_id,
                    "order_id": event.order_id,
                    "buyer_id": event.buyer_id,
                    "facts": event.model_dump(mode="json"),
                    "state": _state(found[event.buyer_id]),
                    "trace": trace,
                    "created_at": tx.now,
                }
            )
        for mail in await tx.insert(mails, rows, returning="subject_id, state"):
            if mail.state != "due":
                continue
            event = facts[mail.subject_id].event
            row = found[event.buyer_id]
            contact = Contact(row.name, row.email, row.language)
            self._recent.put(event.buyer_id, kind, mail.subject_id, Known(event, contact))
            _schedule(tx, kind, mail.subject_id, event.buyer_id, facts[mail.subject_id].trace)


async def _contacts(tx: Tx, buyers: set[UUID]) -> dict[UUID, Any]:
    """Contact rows of these buyers. Where there is none its place is kept, and locked until the commit."""
    found = {row.buyer_id: row for row in await tx.execute(_CONTACTS, buyers=sorted(buyers))}
    missing = sorted(buyer for buyer in buyers if buyer not in found or _state(found[buyer]) == "waiting")
    if missing:
        found |= {row.buyer_id: row for row in await tx.execute(_KEEP_PLACES, buyers=missing)}
    return found


def _state(contact: Any) -> str:
    if contact.erased_at is not None:
        return "dropped"
    return "due" if contact.email is not None else "waiting"


def _schedule(tx: Tx, kind: str, subject_id: UUID, buyer_id: UUID, trace: str | None) -> None:
    tx.schedule(JOBS[kind], str(subject_id), {"buyer_id": str(buyer_id)}, trace=trace)


def _buyer(tombstone: Tombstone) -> UUID | None:
    try:
        return UUID(tombstone.key)
    except ValueError:
        log.warning("tombstone_without_buyer", event_id=str(tombstone.id))
        return None
