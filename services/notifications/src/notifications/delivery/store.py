"""The table `mails`: creates due emails together with the tasks that send them, and records what became of them.

An email is due at once if the buyer's contact is stored; otherwise it waits, and the contact releases it. An email and
a contact that arrive at the same moment in two instances must not miss each other. Therefore an email without a contact
locks (or creates) the contact's row first: then either this transaction sees the contact, or the handler of the contact
sees the email.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from notifications.delivery.cache import RecentEmails
from notifications.delivery.models import (
    READ_FIRST,
    Contact,
    DeliveryResult,
    DueEmail,
    EmailKey,
    EmailPayload,
    TracedEvent,
)
from notifications.delivery.rules import EVEN_IF_BLOCKED
from notifications.emails import ProfileWithReceipt
from shared.contracts import OrderEvent
from shared.database import Tx
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)

_CONTACTS = """
SELECT buyer_id, name, email, language, phone, company, blocked, erased_at FROM contacts
WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))
"""
_LOCK_CONTACTS = """
INSERT INTO contacts (buyer_id) SELECT unnest(CAST(:buyers AS uuid[]))
ON CONFLICT (buyer_id) DO UPDATE SET buyer_id = EXCLUDED.buyer_id
RETURNING buyer_id, name, email, language, phone, company, blocked, erased_at
"""
#: Arrays are the cost of a batch: what the database can read from the event is not sent beside it.
_INSERT = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT :kind, f.subject_id, CAST(f.facts->>'order_id' AS uuid), f.buyer_id, f.facts, f.state, f.trace, :now
FROM unnest(CAST(:subjects AS uuid[]), CAST(:buyers AS uuid[]), CAST(:facts AS jsonb[]), CAST(:states AS text[]),
            CAST(:traces AS text[])) AS f(subject_id, buyer_id, facts, state, trace)
ON CONFLICT DO NOTHING
"""
_INSERT_EMAILS = f"{_INSERT} RETURNING subject_id, state"
#: For activation codes: whether the order has a receipt is read under the lock of the order's row.
_INSERT_CODES = f"""
WITH made AS ({_INSERT} RETURNING order_id, buyer_id, facts, state),
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
_ADD_RECEIPTS = """
UPDATE mails m SET facts = m.facts || jsonb_build_object('receipt_url', r.url)
FROM unnest(CAST(:orders AS uuid[]), CAST(:urls AS text[])) AS r(order_id, url)
WHERE m.kind = 'qr' AND m.subject_id = r.order_id
"""
#: Of an erased buyer only the email's kind and time are kept.
_EMPTY_NEW = """
UPDATE mails SET facts = '{}' WHERE kind = :kind AND subject_id = ANY(CAST(:subjects AS uuid[])) AND state = 'dropped'
"""
#: The first delivery of a code counts (PO 3.4), by whatever channel. `facts` are empty where the buyer was erased while
#: the email was on its way.
_SETTLE = """
WITH settled AS (
  UPDATE mails m SET state = r.state, smtp_code = r.code, enhanced_code = r.enhanced, settled_at = :now
  FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:codes AS int[]),
              CAST(:enhanced AS text[])) AS r(kind, subject_id, state, code, enhanced)
  WHERE m.kind = r.kind AND m.subject_id = r.subject_id AND m.state = 'due'
  RETURNING m.kind, m.subject_id, m.order_id, m.buyer_id, m.facts, m.state),
first AS (
  INSERT INTO orders AS o (order_id, order_number, storefront, buyer_id, delivered_at, channel)
  SELECT DISTINCT ON (order_id) order_id, COALESCE(facts->>'order_number', e.order_number),
         COALESCE(facts->>'storefront', e.storefront), settled.buyer_id, CAST(:now AS timestamptz), 'email'
  FROM settled LEFT JOIN orders e USING (order_id)
  WHERE state = 'sent' AND kind IN ('qr', 'resend') ORDER BY order_id
  ON CONFLICT (order_id) DO UPDATE SET delivered_at = EXCLUDED.delivered_at, channel = EXCLUDED.channel
  WHERE o.delivered_at IS NULL
  RETURNING o.order_id)
SELECT s.kind, s.subject_id, f.order_id IS NOT NULL AS first FROM settled s LEFT JOIN first f USING (order_id)
"""
#: The contact's row is locked: either a contact that lifts the block finds the email withheld, or we see no block.
_WITHHOLD = """
WITH locked AS (
  SELECT buyer_id, blocked FROM contacts WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) ORDER BY buyer_id FOR SHARE)
UPDATE mails m SET state = 'blocked' FROM locked c,
  unnest(CAST(:kinds AS text[]), CAST(:ids AS uuid[])) AS r(kind, subject_id)
WHERE m.kind = r.kind AND m.subject_id = r.subject_id AND m.state = 'due' AND c.buyer_id = m.buyer_id AND c.blocked
RETURNING m.kind, m.subject_id
"""
#: An event that was stored while its buyer was being erased.
_EMPTY_DROPPED = """
UPDATE mails m SET facts = '{}', trace = NULL FROM contacts c
WHERE m.kind = ANY(CAST(:kinds AS text[])) AND m.subject_id = ANY(CAST(:ids AS uuid[])) AND m.state = 'dropped'
  AND c.buyer_id = m.buyer_id AND c.erased_at IS NOT NULL
"""


class EmailQueue:
    """Creates emails and schedules the tasks that send them."""

    def __init__(self, recent: RecentEmails) -> None:
        self._recent = recent

    async def add(
        self, tx: Tx, kind: str, events: Mapping[UUID, TracedEvent], *, after: timedelta | None = None
    ) -> None:
        """Create one email per subject; an email that exists already stays as it is.

        With `after` they are sent a while later, so that an event that follows can be added to them.
        """
        contacts = await _contacts(tx, {traced.event.buyer_id for traced in events.values()})
        for row in await _insert(tx, _INSERT_EMAILS, kind, events, contacts):
            traced = events[row.subject_id]
            if row.state == "due":
                due = None if after or kind in READ_FIRST else _due_email(traced.event, contacts[traced.event.buyer_id])
                self._send(tx, EmailKey(kind, row.subject_id), traced, due, after)

    async def add_codes(self, tx: Tx, events: Mapping[UUID, TracedEvent]) -> None:
        """Create the emails with activation codes, by order, with the order's receipt if it is stored already."""
        contacts = await _contacts(tx, {traced.event.buyer_id for traced in events.values()})
        receipts = {}
        for row in await _insert(tx, _INSERT_CODES, "qr", events, contacts):
            traced = events[row.subject_id]
            event = traced.event
            if row.receipt_url is not None:
                receipts[row.subject_id] = row.receipt_url
                event = ProfileWithReceipt.model_construct(**dict(event), receipt_url=row.receipt_url)
            if row.state == "due":
                due = _due_email(event, contacts[event.buyer_id])
                self._send(tx, EmailKey("qr", row.subject_id), traced, due, None)
        if receipts:
            await tx.execute(_ADD_RECEIPTS, orders=list(receipts), urls=list(receipts.values()))

    async def add_merged(self, tx: Tx, kind: str, events: Mapping[UUID, TracedEvent]) -> None:
        """Store emails that are not sent, because another email says the same or the account page shows it."""
        if events:
            await _insert(tx, _INSERT_EMAILS, kind, events, None)

    def _send(
        self, tx: Tx, email: EmailKey, traced: TracedEvent, due: DueEmail | None, after: timedelta | None
    ) -> None:
        if due is not None:
            self._recent.put(traced.event.buyer_id, email, due)
        schedule(tx, email, traced.event.buyer_id, traced.trace, after=after)


def by_subject(batch: Iterable[Received[E]], subject: Callable[[E], UUID]) -> dict[UUID, TracedEvent]:
    """The events of a batch with their traces, by the subjects of their emails. Of one subject the last one counts."""
    return {subject(received.event): TracedEvent(received.event, received.trace) for received in batch}


def schedule(tx: Tx, email: EmailKey, buyer_id: UUID, trace: str | None, *, after: timedelta | None = None) -> None:
    """Schedule the task that sends an email."""
    due_at = tx.now + after if after else None
    tx.schedule(email.task_kind, email.task_key, EmailPayload(buyer_id=buyer_id), due_at=due_at, trace=trace)


async def settle(tx: Tx, results: Sequence[DeliveryResult]) -> dict[EmailKey, bool]:
    """Store final states. Returns the emails that were due until now, each with whether it is a code's first delivery.

    An email that is settled already stays as it is. `results` stand in the order of subjects.
    """
    rows = await tx.execute(
        _SETTLE,
        now=tx.now,
        kinds=[result.email.kind for result in results],
        ids=[result.email.subject_id for result in results],
        states=[result.state for result in results],
        codes=[result.smtp_code for result in results],
        enhanced=[result.enhanced_code for result in results],
    )
    settled = {EmailKey(row.kind, row.subject_id): bool(row.first) for row in rows}
    dropped = [result.email for result in results if result.state == "dropped"]
    if dropped:
        kinds = sorted({email.kind for email in dropped})
        await tx.execute(_EMPTY_DROPPED, kinds=kinds, ids=[email.subject_id for email in dropped])
    return settled


async def withhold(tx: Tx, results: Sequence[DeliveryResult]) -> set[EmailKey]:
    """Withhold emails of buyers whose data is blocked. Returns those whose buyer is still blocked."""
    rows = await tx.execute(
        _WITHHOLD,
        buyers=sorted({result.event.buyer_id for result in results}),
        kinds=[result.email.kind for result in results],
        ids=[result.email.subject_id for result in results],
    )
    return {EmailKey(row.kind, row.subject_id) for row in rows}


async def _insert(
    tx: Tx, sql: str, kind: str, events: Mapping[UUID, TracedEvent], contacts: Mapping[UUID, Any] | None
) -> Sequence[Any]:
    """Insert in the order of subjects, so that two batches cannot deadlock."""
    subjects = sorted(events, key=attrgetter("int"))
    ordered = [events[subject] for subject in subjects]
    states = [_state(contacts[traced.event.buyer_id], kind) if contacts is not None else "merged" for traced in ordered]
    result = await tx.execute(
        sql,
        kind=kind,
        subjects=subjects,
        buyers=[traced.event.buyer_id for traced in ordered],
        facts=[traced.event.model_dump_json() for traced in ordered],
        states=states,
        traces=[traced.trace for traced in ordered],
        now=tx.now,
    )
    if "dropped" in states:
        erased = [subject for subject, state in zip(subjects, states, strict=True) if state == "dropped"]
        await tx.execute(_EMPTY_NEW, kind=kind, subjects=erased)
    return result.all()


async def _contacts(tx: Tx, buyers: set[UUID]) -> dict[UUID, Any]:
    """Contact rows of these buyers. A missing row is created, and locked until the commit.

    Rows of blocked buyers are locked too: the contact that lifts the block must find the emails that are withheld.
    """
    rows = {row.buyer_id: row for row in await tx.execute(_CONTACTS, buyers=sorted(buyers, key=attrgetter("int")))}
    missing = [buyer for buyer in buyers if buyer not in rows or rows[buyer].email is None or rows[buyer].blocked]
    if missing:
        locked = await tx.execute(_LOCK_CONTACTS, buyers=sorted(missing, key=attrgetter("int")))
        rows |= {row.buyer_id: row for row in locked}
    return rows


def _due_email(event: OrderEvent, contact: Any) -> DueEmail:
    return DueEmail(event, Contact.of(contact))


def _state(contact: Any, kind: str) -> str:
    if contact.erased_at is not None:
        return "dropped"
    if contact.email is None:
        return "waiting"
    return "blocked" if contact.blocked and kind not in EVEN_IF_BLOCKED else "due"
