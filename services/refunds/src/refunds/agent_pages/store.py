"""What the agents' pages read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from refunds.cases import REFUND_COLUMNS, write_entry
from shared.database import Tx

_MOST = 300
#: Entries of the audit trail that change nothing for whoever decides.
UNDECISIVE = ("noted", "answered", "assigned", "messages_read", "call_written_down")
#: What was written by others than agents, since an agent has read it.
_UNREAD = """
(SELECT count(*) FROM notes n WHERE n.case_id = c.case_id AND n.who NOT LIKE 'agent:%'
  AND n.at > COALESCE(h.read_at, '-infinity'))
"""
_CASES = f"""
SELECT c.*, f.order_number, f.storefront, {REFUND_COLUMNS}, h.assignee, {_UNREAD} AS unread
FROM cases c JOIN order_facts f USING (order_id) LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id
  LEFT JOIN case_handling h ON h.case_id = c.case_id
"""
_QUEUE = f"""
SELECT * FROM ({_CASES} WHERE c.closed_at IS NULL) AS waiting
ORDER BY unread = 0, due_at NULLS LAST, requested_at LIMIT {_MOST}
"""
_HANDLING = f"""
SELECT h.assignee, h.assigned_at, {_UNREAD} AS unread FROM cases c LEFT JOIN case_handling h ON h.case_id = c.case_id
WHERE c.case_id = :case
"""
#: Only from the one that the page showed: somebody else may have taken the case meanwhile.
_ASSIGN = """
INSERT INTO case_handling AS h (case_id, assignee, assigned_at) VALUES (:case, :to, :now)
ON CONFLICT (case_id) DO UPDATE SET assignee = :to, assigned_at = :now
WHERE COALESCE(h.assignee, '') = COALESCE(CAST(:was AS text), '')
RETURNING case_id
"""
_READ = """
INSERT INTO case_handling AS h (case_id, read_at) VALUES (:case, :until)
ON CONFLICT (case_id) DO UPDATE SET read_at = GREATEST(h.read_at, :until)
"""
_ORDER_CASES = f"{_CASES} WHERE c.order_id = :order ORDER BY c.requested_at DESC"
_ORDER = "SELECT * FROM order_facts WHERE order_id = :order"
_ORDER_CLAIMS = "SELECT * FROM claims WHERE order_id = :order ORDER BY received_at DESC, claim_id"
_CLAIM = "SELECT c.*, f.order_number FROM claims c JOIN order_facts f USING (order_id) WHERE c.claim_id = :claim"
_CLAIM_MAILS = "SELECT * FROM support_mails WHERE claim_id = :claim ORDER BY received_at, mail_id"
_ORDER_MAILS = "SELECT * FROM support_mails WHERE order_id = :order ORDER BY received_at DESC, mail_id"
_ORDER_NOTES = """
SELECT n.at, n.who, n.kind, n.text, n.case_id, c.channel FROM notes n JOIN cases c USING (case_id)
WHERE c.order_id = :order ORDER BY n.at DESC, n.note_id
"""
#: What is found here, while ordering does not answer: by number, id and e-mail, each by its index.
_FOUND = f"""
SELECT order_id, order_number, storefront, paid_at FROM order_facts WHERE order_id IN (
  SELECT order_id FROM order_facts WHERE order_number = :number OR order_id = :id
  UNION SELECT f.order_id FROM contacts c JOIN order_facts f USING (buyer_id) WHERE c.email_hash = :email)
ORDER BY paid_at DESC LIMIT {_MOST}
"""
_COUNTS = """
SELECT order_id, count(*) AS cases, count(*) FILTER (WHERE closed_at IS NULL) AS open FROM cases
WHERE order_id = ANY(CAST(:orders AS uuid[])) GROUP BY order_id
"""
_OVERSIGHT = """
SELECT a.at, a.who, a.what, a.detail, a.case_id, f.order_number FROM audit a LEFT JOIN order_facts f USING (order_id)
WHERE a.what IN ('deadline_missed', 'delivery_overdue', 'found', 'appealed', 'refund_failed', 'signed_in',
                 'account_disabled', 'refund_retry_requested', 'hand_payment_recorded', 'hand_payment_confirmed',
                 'hand_payment_rejected', 'action_refused', 'release_requested', 'refusal_requested',
                 'contact_change_requested', 'resend_requested', 'call_written_down', 'template_added',
                 'template_changed', 'template_deleted', 'representation_recorded', 'representation_confirmed',
                 'representation_rejected', 'representation_ended', 'export_requested', 'block_requested',
                 'erasure_requested')
ORDER BY a.at DESC LIMIT 200
"""
_ACCOUNTS = "SELECT name, role, created_at, disabled_at FROM accounts ORDER BY name"
_DISABLE = "UPDATE accounts SET disabled_at = :now WHERE name = :name AND disabled_at IS NULL RETURNING name"
_END_SESSIONS = "DELETE FROM sessions WHERE who = :who"
_NOTES = "SELECT at, who, kind, text FROM notes WHERE case_id = :case ORDER BY at, note_id"
_AUDIT = "SELECT at, who, what, detail FROM audit WHERE case_id = :case ORDER BY at, entry_id"
#: What a page did not know that showed the first `seen` entries. Entries are only added.
_SINCE = """
SELECT at, who, what, detail FROM audit WHERE case_id = :case AND what <> ALL(CAST(:undecisive AS text[]))
ORDER BY at, entry_id OFFSET :seen
"""
#: By the cases of the order: the audit trail has an index of cases, and none of orders.
_ORDER_ENTRIES = """
FROM audit WHERE case_id IN (SELECT case_id FROM cases WHERE order_id = :order)
  AND what <> ALL(CAST(:undecisive AS text[]))
"""
_COUNT_ENTRIES = f"SELECT count(*) {_ORDER_ENTRIES}"
_ENTRIES_SINCE = f"SELECT at, who, what, detail {_ORDER_ENTRIES} ORDER BY at, entry_id OFFSET :seen"
_DECISIONS = """
SELECT decision_id, decided_at, decided_by, verdict, policy, facts, answer FROM decisions
WHERE case_id = :case ORDER BY decided_at DESC, decision_id DESC
"""


async def open_cases(tx: Tx) -> Sequence[Any]:
    """Open cases, the nearest deadline first (at most 300)."""
    return (await tx.execute(_QUEUE)).all()


async def cases_of_order(tx: Tx, order_id: UUID) -> Sequence[Any]:
    """The cases of an order, the newest first."""
    return (await tx.execute(_ORDER_CASES, order=order_id)).all()


async def records_of_order(tx: Tx, order_id: UUID) -> dict[str, Any]:
    """What is stored here about an order: the order itself (or None), claims, mails, and what was written."""
    return {
        "order": (await tx.execute(_ORDER, order=order_id)).one_or_none(),
        "claims": (await tx.execute(_ORDER_CLAIMS, order=order_id)).all(),
        "mails": (await tx.execute(_ORDER_MAILS, order=order_id)).all(),
        "notes": (await tx.execute(_ORDER_NOTES, order=order_id)).all(),
    }


async def claim_of(tx: Tx, claim_id: UUID) -> Any:
    """A claim with the number of its order, or None."""
    return (await tx.execute(_CLAIM, claim=claim_id)).one_or_none()


async def mails_of_claim(tx: Tx, claim_id: UUID) -> Sequence[Any]:
    """The mails that are a claim, the oldest first."""
    return (await tx.execute(_CLAIM_MAILS, claim=claim_id)).all()


async def find_paid(tx: Tx, number: str, order_id: UUID | None, email: bytes) -> Sequence[Any]:
    """Orders that were paid, or that a fact of them is known of, by number, id or the hash of an e-mail."""
    return (await tx.execute(_FOUND, number=number, id=order_id, email=email)).all()


async def count_cases(tx: Tx, orders: Sequence[UUID]) -> dict[UUID, Any]:
    """How many cases these orders have, and how many of them are open."""
    return {row.order_id: row for row in await tx.execute(_COUNTS, orders=list(orders))}


async def records(tx: Tx, case_id: UUID) -> dict[str, Sequence[Any]]:
    """Notes, audit trail and decisions of a case."""
    return {
        "notes": (await tx.execute(_NOTES, case=case_id)).all(),
        "trail": (await tx.execute(_AUDIT, case=case_id)).all(),
        "decisions": (await tx.execute(_DECISIONS, case=case_id)).all(),
    }


async def handling(tx: Tx, case_id: UUID) -> Any:
    """Who works on a case since when, and how many messages no agent has read."""
    return (await tx.execute(_HANDLING, case=case_id)).one()


async def assign(tx: Tx, case_id: UUID, who: str, *, to: str | None, was: str | None) -> bool:
    """Give a case to somebody, or to nobody. False where `was` does not work on it any more."""
    given = (await tx.execute(_ASSIGN, case=case_id, to=to, was=was, now=tx.now)).first() is not None
    if given:
        await write_entry(tx, who, "assigned", case_id=case_id, to=to or "nobody")
    return given


async def mark_read(tx: Tx, case_id: UUID, who: str, until: datetime) -> None:
    """Record that an agent has read what was written until a moment."""
    await tx.execute(_READ, case=case_id, until=min(until, tx.now))
    await write_entry(tx, who, "messages_read", case_id=case_id)


async def changes_since(tx: Tx, case_id: UUID, seen: int) -> Sequence[Any]:
    """The audit entries of a case beyond the first `seen`, without notes. The caller has locked the order."""
    return (await tx.execute(_SINCE, case=case_id, seen=seen, undecisive=list(UNDECISIVE))).all()


async def count_entries(tx: Tx, order_id: UUID) -> int:
    """How many audit entries the cases of an order have, without notes."""
    return int((await tx.execute(_COUNT_ENTRIES, order=order_id, undecisive=list(UNDECISIVE))).scalar())


async def entries_since(tx: Tx, order_id: UUID, seen: int) -> Sequence[Any]:
    """The audit entries of an order's cases beyond the first `seen`, without notes. The caller has locked the order."""
    return (await tx.execute(_ENTRIES_SINCE, order=order_id, seen=seen, undecisive=list(UNDECISIVE))).all()


async def audit_entries(tx: Tx) -> Sequence[Any]:
    """The entries of the audit trail that supervisors check, the newest first (at most 200)."""
    return (await tx.execute(_OVERSIGHT)).all()


async def accounts(tx: Tx) -> Sequence[Any]:
    """Local accounts by name."""
    return (await tx.execute(_ACCOUNTS)).all()


async def disable_account(tx: Tx, name: str, who: str, now: datetime) -> None:
    """Disable a local account and end its sessions."""
    if (await tx.execute(_DISABLE, name=name, now=now)).first() is not None:
        await tx.execute(_END_SESSIONS, who=f"agent:{name}")
        await write_entry(tx, who, "account_disabled", account=name)


async def record_sign_in(tx: Tx, who: str, means: str) -> None:
    """Write a sign-in into the audit trail."""
    await write_entry(tx, who, "signed_in", means=means)
