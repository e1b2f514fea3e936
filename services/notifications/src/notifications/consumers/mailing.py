"""Making mails due: whose contact is known gets the mail at once; the other mails wait, and the contact releases them.

A mail and a contact that arrive at the same moment in two instances must not miss each other. So a mail without a
contact locks (or makes) the contact's row first: then either it sees the contact, or the contact's handler sees it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from notifications.recent import Contact, Known, Recent
from notifications.tables import mails
from shared.contracts import OrderEvent
from shared.database import Tx

#: The job that sends a kind of mail, where it is not `mail`.
_JOBS: Mapping[str, str] = {"qr": "deliver_qr", "resend": "deliver_qr", "refund": "mail_refund"}
_CONTACTS = """
SELECT buyer_id, name, email, language, erased_at FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))
"""
_KEEP_PLACES = """
INSERT INTO contacts (buyer_id) SELECT unnest(CAST(:buyers AS uuid[]))
ON CONFLICT (buyer_id) DO UPDATE SET buyer_id = EXCLUDED.buyer_id
RETURNING buyer_id, name, email, language, erased_at
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """What a mail is about, and the trace it continues."""

    event: OrderEvent
    trace: str | None


class Mailing:
    """Puts mails into the table and on the board."""

    def __init__(self, recent: Recent) -> None:
        self.recent = recent

    async def due(self, tx: Tx, kind: str, facts: Mapping[UUID, Fact], *, after: timedelta | None = None) -> None:
        """These mails are to be sent, `after` a while where more may come that they can say too.

        By subject id: a mail that exists already stays as it is.
        """
        found = await _contacts(tx, {fact.event.buyer_id for fact in facts.values()})
        rows = [
            _row(tx, kind, subject_id, facts[subject_id], _state(found[facts[subject_id].event.buyer_id]))
            for subject_id in sorted(facts)
        ]
        for mail in await tx.insert(mails, rows, returning="subject_id, state"):
            if mail.state != "due":
                continue
            fact = facts[mail.subject_id]
            if after is None:
                contact = found[fact.event.buyer_id]
                known = Known(fact.event, Contact(contact.name, contact.email, contact.language))
                self.recent.put(fact.event.buyer_id, kind, mail.subject_id, known)
            schedule(tx, kind, mail.subject_id, fact.event.buyer_id, fact.trace, after=after)

    async def note(self, tx: Tx, kind: str, facts: Mapping[UUID, Fact], state: Literal["merged"]) -> None:
        """Mails that need not be sent, kept so that nobody sends them."""
        rows = [_row(tx, kind, subject_id, facts[subject_id], state) for subject_id in sorted(facts)]
        await tx.insert(mails, rows)


def schedule(
    tx: Tx, kind: str, subject_id: UUID, buyer_id: UUID, trace: str | None, *, after: timedelta | None = None
) -> None:
    """Have a mail sent."""
    job = _JOBS.get(kind, "mail")
    # deliver_qr and mail_refund had one kind of mail each when their keys were chosen.
    key = str(subject_id) if kind in {"qr", "refund"} else f"{kind}:{subject_id}"
    due_at = tx.now + after if after else None
    tx.schedule(job, key, {"buyer_id": str(buyer_id)}, due_at=due_at, trace=trace)


def _row(tx: Tx, kind: str, subject_id: UUID, fact: Fact, state: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "subject_id": subject_id,
        "order_id": fact.event.order_id,
        "buyer_id": fact.event.buyer_id,
        "facts": fact.event.model_dump(mode="json"),
        "state": state,
        "trace": fact.trace,
        "created_at": tx.now,
    }


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
