"""Contacts: the newest wins, releases the mails that waited for it, and has the code sent again where it changed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from notifications.delivery import EVEN_IF_BLOCKED, RecentEmails, schedule
from notifications.tables import contacts
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received
from shared.values.email_address import mailbox_key

_TOLD = {"buyer_id", "storefront", "name", "phone", "language", "updated_at", "blocked"}
_ADDRESSES = """
SELECT buyer_id, email, mailbox_key, blocked FROM contacts
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND email IS NOT NULL ORDER BY buyer_id FOR UPDATE
"""
#: Consent to newsletters is the mailbox's: it stays where the mailbox stays, and ends with a block.
_NEWEST_WINS = """
ON CONFLICT (buyer_id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, language = EXCLUDED.language, updated_at = EXCLUDED.updated_at,
    phone = EXCLUDED.phone, storefront = EXCLUDED.storefront, blocked = EXCLUDED.blocked,
    newsletter = contacts.newsletter AND contacts.email = EXCLUDED.email AND NOT EXCLUDED.blocked,
    newsletter_asked = EXCLUDED.newsletter_asked, mailbox_key = EXCLUDED.mailbox_key
WHERE contacts.erased_at IS NULL AND (contacts.updated_at IS NULL OR contacts.updated_at < EXCLUDED.updated_at
  OR (contacts.updated_at = EXCLUDED.updated_at AND contacts.phone IS NULL))
"""
_RELEASE = """
UPDATE mails m SET state = CASE WHEN c.blocked AND m.kind <> ALL(CAST(:even AS text[])) THEN 'blocked' ELSE 'due' END
FROM contacts c
WHERE m.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.state = 'waiting'
  AND c.buyer_id = m.buyer_id AND c.email IS NOT NULL
RETURNING m.kind, m.subject_id, m.buyer_id, m.trace, m.state
"""
#: The block was lifted: what still has anything to say is said (delivery/rules.py).
_UNBLOCK = """
UPDATE mails m SET state = 'due' FROM contacts c
WHERE m.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.state = 'blocked' AND c.buyer_id = m.buyer_id AND NOT c.blocked
RETURNING m.kind, m.subject_id, m.buyer_id, m.trace, m.state
"""
#: A code whose mail has gone (or was refused) goes to the new address too, so many times per order and no more.
#: So does one that somebody has in hand: nobody knows which address it is going to.
_SEND_AGAIN = """
WITH again AS (
  UPDATE orders o SET resends = o.resends + 1, resent_at = :now
  FROM mails m
  WHERE m.kind = 'qr' AND m.subject_id = o.order_id
    AND (m.state IN ('sent', 'refused', 'bounced') OR (m.state = 'due' AND EXISTS (
      SELECT 1 FROM work w WHERE w.kind = 'deliver_qr' AND w.key = m.subject_id::text AND w.owner IS NOT NULL)))
    AND o.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.buyer_id = o.buyer_id AND o.resends < :most
    AND o.revoked_at IS NULL AND o.expired_at IS NULL
  RETURNING o.order_id, o.buyer_id, m.facts, m.trace)
SELECT * FROM again ORDER BY order_id
"""
_RESENDS = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT 'resend', s.subject_id, m.order_id, m.buyer_id, m.facts, 'due', m.trace, :now
FROM unnest(CAST(:subjects AS uuid[]), CAST(:orders AS uuid[])) AS s(subject_id, order_id)
JOIN mails m ON m.kind = 'qr' AND m.subject_id = s.order_id
ON CONFLICT DO NOTHING RETURNING subject_id, buyer_id, trace
"""


class ContactHandlers:
    """Applies what is said about buyers. `resends`: how often a code may go out again, per order."""

    def __init__(self, recent: RecentEmails, resends: int) -> None:
        self._recent = recent
        self._resends = resends

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Keep the newest contact, release the mails that waited for it, send codes again that went elsewhere."""
        newest: dict[UUID, BuyerContact] = {}
        for received in batch:
            event = received.event
            if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
                newest[event.buyer_id] = event
        buyers = sorted(newest)
        known = (await tx.execute(_ADDRESSES, buyers=buyers)).all()
        before = {row.buyer_id: row.email for row in known}
        rows = [_row(newest[buyer], before.get(buyer)) for buyer in buyers]
        kept = await tx.insert(contacts, rows, on_conflict=_NEWEST_WINS, returning="buyer_id, email")
        self._recent.forget(buyers)
        released = (await tx.execute(_RELEASE, buyers=buyers, even=sorted(EVEN_IF_BLOCKED))).all()
        if blocked := [row.buyer_id for row in known if row.blocked]:
            released += (await tx.execute(_UNBLOCK, buyers=blocked)).all()
        for mail in released:
            if mail.state == "due":
                schedule(tx, mail.kind, mail.subject_id, mail.buyer_id, mail.trace)
        moved = [row.buyer_id for row in kept if before.get(row.buyer_id, row.email) != row.email]
        if moved:
            await self._send_again(tx, {buyer: newest[buyer] for buyer in sorted(moved)})

    async def _send_again(self, tx: Tx, moved: dict[UUID, BuyerContact]) -> None:
        """PP 6.1: a corrected address gets the code. The same correction, read twice, sends it once."""
        found = (await tx.execute(_SEND_AGAIN, buyers=list(moved), now=tx.now, most=self._resends)).all()
        if not found:
            return
        subjects = [uuid_for("resend", str(row.order_id), moved[row.buyer_id].updated_at.isoformat()) for row in found]
        made = await tx.execute(_RESENDS, subjects=subjects, orders=[row.order_id for row in found], now=tx.now)
        for mail in made:
            schedule(tx, "resend", mail.subject_id, mail.buyer_id, mail.trace)


def _row(event: BuyerContact, before: str | None) -> dict[str, Any]:
    """Another spelling of the same mailbox is no other address: links keep working, and no code is mailed again."""
    key = mailbox_key(event.email)
    return event.model_dump(include=_TOLD) | {
        "email": before if before is not None and mailbox_key(before) == key else event.email,
        "mailbox_key": key,
        # Before 1.1 of the contract an order's wish was told as a consent, whoever had placed the order.
        "newsletter_asked": event.newsletter_asked or event.newsletter,
    }
