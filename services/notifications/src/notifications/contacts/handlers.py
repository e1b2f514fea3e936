"""Stores contacts of buyers: the newest one wins, releases waiting emails, and has the code sent to a new address."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from notifications.delivery import EVEN_IF_BLOCKED, EmailKey, RecentEmails, schedule
from notifications.tables import contacts
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received
from shared.values.email_address import mailbox_key

_COLUMNS = {"buyer_id", "storefront", "name", "phone", "language", "updated_at", "blocked", "company"}
_ADDRESSES = """
SELECT buyer_id, email, mailbox_key, blocked FROM contacts
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND email IS NOT NULL ORDER BY buyer_id FOR UPDATE
"""
#: No correction takes a company away; an earlier release of ordering publishes a corrected contact without it.
#: Consent to newsletters belongs to the mailbox: it stays while the mailbox stays the same, and ends with a block.
_NEWEST_WINS = """
ON CONFLICT (buyer_id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, language = EXCLUDED.language, updated_at = EXCLUDED.updated_at,
    phone = EXCLUDED.phone, storefront = EXCLUDED.storefront, blocked = EXCLUDED.blocked,
    newsletter = contacts.newsletter AND contacts.email = EXCLUDED.email AND NOT EXCLUDED.blocked,
    newsletter_asked = EXCLUDED.newsletter_asked, mailbox_key = EXCLUDED.mailbox_key,
    company = COALESCE(EXCLUDED.company, contacts.company)
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
#: The block was lifted: emails are due again, and those without a purpose are dropped then (delivery/rules.py).
_UNBLOCK = """
UPDATE mails m SET state = 'due' FROM contacts c
WHERE m.buyer_id = ANY(CAST(:buyers AS uuid[])) AND m.state = 'blocked' AND c.buyer_id = m.buyer_id AND NOT c.blocked
RETURNING m.kind, m.subject_id, m.buyer_id, m.trace, m.state
"""
#: A code that was sent (or refused) is sent to the new address too, up to a limit per order. So is one that a worker is
#: sending at this moment, because it may go to the old address.
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
    """Handlers of contact events. `resend_limit` is how often a code may be sent again, per order."""

    def __init__(self, recent: RecentEmails, resend_limit: int) -> None:
        self._recent = recent
        self._resend_limit = resend_limit

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Store the newest contacts, release waiting emails, and send codes again that went to an old address."""
        newest: dict[UUID, BuyerContact] = {}
        for received in batch:
            event = received.event
            if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
                newest[event.buyer_id] = event
        buyers = sorted(newest)
        stored = (await tx.execute(_ADDRESSES, buyers=buyers)).all()
        before = {row.buyer_id: row.email for row in stored}
        rows = [_row(newest[buyer], before.get(buyer)) for buyer in buyers]
        applied = await tx.insert(contacts, rows, on_conflict=_NEWEST_WINS, returning="buyer_id, email")
        self._recent.forget(buyers)
        released = (await tx.execute(_RELEASE, buyers=buyers, even=sorted(EVEN_IF_BLOCKED))).all()
        if blocked := [row.buyer_id for row in stored if row.blocked]:
            released += (await tx.execute(_UNBLOCK, buyers=blocked)).all()
        for mail in released:
            if mail.state == "due":
                schedule(tx, EmailKey(mail.kind, mail.subject_id), mail.buyer_id, mail.trace)
        moved = [row.buyer_id for row in applied if before.get(row.buyer_id, row.email) != row.email]
        if moved:
            await self._send_again(tx, {buyer: newest[buyer] for buyer in sorted(moved)})

    async def _send_again(self, tx: Tx, moved: dict[UUID, BuyerContact]) -> None:
        """PP 6.1: send the code to a corrected address. A correction that is read twice sends it once."""
        orders = (await tx.execute(_SEND_AGAIN, buyers=list(moved), now=tx.now, most=self._resend_limit)).all()
        if not orders:
            return
        subjects = [uuid_for("resend", str(row.order_id), moved[row.buyer_id].updated_at.isoformat()) for row in orders]
        made = await tx.execute(_RESENDS, subjects=subjects, orders=[row.order_id for row in orders], now=tx.now)
        for mail in made:
            schedule(tx, EmailKey("resend", mail.subject_id), mail.buyer_id, mail.trace)


def _row(event: BuyerContact, before: str | None) -> dict[str, Any]:
    """The row to store. A new spelling of the same mailbox keeps the stored one, so that links stay valid."""
    key = mailbox_key(event.email)
    return event.model_dump(include=_COLUMNS) | {
        "email": before if before is not None and mailbox_key(before) == key else event.email,
        "mailbox_key": key,
        # Before version 1.1 of the contract, an order's request for newsletters came in the field of the consent.
        "newsletter_asked": event.newsletter_asked or event.newsletter,
    }
