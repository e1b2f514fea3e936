"""Making mails due: whose contact is known gets the mail at once; the other mails wait, and the contact releases them.

A mail and a contact that arrive at the same moment in two instances must not miss each other. So a mail without a
contact locks (or makes) the contact's row first: then either it sees the contact, or the contact's handler sees it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any
from uuid import UUID

from notifications.delivery.cache import Contact, DueEmail, RecentEmails
from notifications.delivery.rules import EVEN_IF_BLOCKED
from notifications.emails import ProfileWithReceipt
from shared.contracts import OrderEvent
from shared.database import Tx

#: The job that sends a kind of mail, where it is not `mail`.
_JOBS: Mapping[str, str] = {"qr": "deliver_qr", "resend": "deliver_qr", "refund": "mail_refund", "code": "send_code"}
_CONTACTS = """
SELECT buyer_id, name, email, language, phone, blocked, erased_at FROM contacts
WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))
"""
_KEEP_PLACES = """
INSERT INTO contacts (buyer_id) SELECT unnest(CAST(:buyers AS uuid[]))
ON CONFLICT (buyer_id) DO UPDATE SET buyer_id = EXCLUDED.buyer_id
RETURNING buyer_id, name, email, language, phone, blocked, erased_at
"""


#: Arrays are what a batch costs: what can be read from the facts in the database is not sent beside them.
_MADE = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT :kind, f.subject_id, CAST(f.facts->>'order_id' AS uuid), f.buyer_id, f.facts, f.state, f.trace, :now
FROM unnest(CAST(:subjects AS uuid[]), CAST(:buyers AS uuid[]), CAST(:facts AS jsonb[]), CAST(:states AS text[]),
            CAST(:traces AS text[])) AS f(subject_id, buyer_id, facts, state, trace)
ON CONFLICT DO NOTHING
"""
_MAILS = f"{_MADE} RETURNING subject_id, state"
#: A code: whether its order has a receipt by now is asked under the lock of the order's row.
_CODES = f"""
WITH made AS ({_MADE} RETURNING order_id, buyer_id, facts, state),
known AS (
  INSERT INTO orders AS o (order_id, order_number, storefront, buyer_id, generated_at, valid_until, answered_at)
  SELECT order_id, facts->>'order_number', facts->>'storefront', buyer_id, CAST(facts->>'generated_at' AS timestamptz),
         CAST(facts->>'valid_until' AS timestamptz), :now
  FROM made ORDER BY order_id
  ON CONFLICT (order_id) DO UPDATE SET
    generated_at = COALESCE(o.generated_at, EXCLUDED.generated_at),
    valid_until = COALESCE(o.valid_until, EXCLUDED.valid_until),
    answered_at = COALESCE(o.answered_at, EXCLUDED.answered_at)
  RETURNING o.order_id, o.receipt->>'ticket_url' AS receipt_url)
SELECT made.order_id AS subject_id, made.state, known.receipt_url FROM made JOIN known USING (order_id)
"""
#: Of a buyer who was forgotten only that there was a mail, and when.
_EMPTY = """
UPDATE mails SET facts = '{}' WHERE kind = :kind AND subject_id = ANY(CAST(:subjects AS uuid[])) AND state = 'dropped'
"""
_RECEIPTS = """
UPDATE mails m SET facts = m.facts || jsonb_build_object('receipt_url', r.url)
FROM unnest(CAST(:orders AS uuid[]), CAST(:urls AS text[])) AS r(order_id, url)
WHERE m.kind = 'qr' AND m.subject_id = r.order_id
"""


@dataclass(frozen=True, slots=True)
class TracedEvent:
    """What a mail is about, and the trace it continues."""

    event: OrderEvent
    trace: str | None


class EmailQueue:
    """Puts mails into the table and on the board."""

    def __init__(self, recent: RecentEmails) -> None:
        self._recent = recent

    async def due(
        self, tx: Tx, kind: str, facts: Mapping[UUID, TracedEvent], *, after: timedelta | None = None
    ) -> None:
        """These mails are to be sent, `after` a while where more may come that they can say too.

        By subject id: a mail that exists already stays as it is.
        """
        found = await _contacts(tx, {fact.event.buyer_id for fact in facts.values()})
        for mail in await _insert(tx, _MAILS, kind, facts, found):
            fact = facts[mail.subject_id]
            if mail.state == "due":
                known = None if after else _known(fact.event, found[fact.event.buyer_id])
                self._send(tx, kind, mail.subject_id, fact, known, after)

    async def codes_due(self, tx: Tx, facts: Mapping[UUID, TracedEvent]) -> None:
        """These codes are to be sent, by order, with the order's receipt where it is known by now."""
        found = await _contacts(tx, {fact.event.buyer_id for fact in facts.values()})
        receipts = {}
        for mail in await _insert(tx, _CODES, "qr", facts, found):
            fact = facts[mail.subject_id]
            event = fact.event
            if mail.receipt_url is not None:
                receipts[mail.subject_id] = mail.receipt_url
                event = ProfileWithReceipt.model_construct(**dict(event), receipt_url=mail.receipt_url)
            if mail.state == "due":
                self._send(tx, "qr", mail.subject_id, fact, _known(event, found[event.buyer_id]), None)
        if receipts:
            await tx.execute(_RECEIPTS, orders=list(receipts), urls=list(receipts.values()))

    async def merged(self, tx: Tx, kind: str, facts: Mapping[UUID, TracedEvent]) -> None:
        """Mails that another mail has said already, kept so that nobody sends them."""
        if facts:
            await _insert(tx, _MAILS, kind, facts, None)

    def _send(
        self, tx: Tx, kind: str, subject_id: UUID, fact: TracedEvent, known: DueEmail | None, after: timedelta | None
    ) -> None:
        if known is not None:
            self._recent.put(fact.event.buyer_id, kind, subject_id, known)
        schedule(tx, kind, subject_id, fact.event.buyer_id, fact.trace, after=after)


def schedule(
    tx: Tx, kind: str, subject_id: UUID, buyer_id: UUID, trace: str | None, *, after: timedelta | None = None
) -> None:
    """Have a mail sent."""
    job = _JOBS.get(kind, "mail")
    # deliver_qr and mail_refund had one kind of mail each when their keys were chosen.
    key = str(subject_id) if kind in {"qr", "refund"} else f"{kind}:{subject_id}"
    due_at = tx.now + after if after else None
    tx.schedule(job, key, {"buyer_id": str(buyer_id)}, due_at=due_at, trace=trace)


async def _insert(
    tx: Tx, sql: str, kind: str, facts: Mapping[UUID, TracedEvent], contacts: Mapping[UUID, Any] | None
) -> Sequence[Any]:
    """Rows in the order of subjects, so that two batches never wait for each other in a circle."""
    subjects = sorted(facts, key=attrgetter("int"))
    ordered = [facts[subject] for subject in subjects]
    states = [_state(contacts[fact.event.buyer_id], kind) if contacts is not None else "merged" for fact in ordered]
    found = await tx.execute(
        sql,
        kind=kind,
        subjects=subjects,
        buyers=[fact.event.buyer_id for fact in ordered],
        facts=[fact.event.model_dump_json() for fact in ordered],
        states=states,
        traces=[fact.trace for fact in ordered],
        now=tx.now,
    )
    if "dropped" in states:
        erased = [subject for subject, state in zip(subjects, states, strict=True) if state == "dropped"]
        await tx.execute(_EMPTY, kind=kind, subjects=erased)
    return found.all()


def _known(event: OrderEvent, contact: Any) -> DueEmail:
    return DueEmail(event, Contact(contact.name, contact.email, contact.language, contact.phone))


async def _contacts(tx: Tx, buyers: set[UUID]) -> dict[UUID, Any]:
    """Contact rows of these buyers. Where there is none its place is kept, and locked until the commit.

    So are those of buyers who are blocked: the contact that lifts it must find the mails that were withheld.
    """
    found = {row.buyer_id: row for row in await tx.execute(_CONTACTS, buyers=sorted(buyers, key=attrgetter("int")))}
    missing = [buyer for buyer in buyers if buyer not in found or found[buyer].email is None or found[buyer].blocked]
    if missing:
        places = await tx.execute(_KEEP_PLACES, buyers=sorted(missing, key=attrgetter("int")))
        found |= {row.buyer_id: row for row in places}
    return found


def _state(contact: Any, kind: str) -> str:
    if contact.erased_at is not None:
        return "dropped"
    if contact.email is None:
        return "waiting"
    return "blocked" if contact.blocked and kind not in EVEN_IF_BLOCKED else "due"
