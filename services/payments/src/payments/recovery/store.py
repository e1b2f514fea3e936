"""SQL of the recovery. Each statement changes nothing when it is repeated. Amounts in minor units."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.attempts import order_row
from payments.ledger import COLUMNS
from payments.tables import payment_orders, surplus_charges
from shared.contracts import DuplicateCharged, OrderPaid
from shared.database import Tx

_PAID = """
ON CONFLICT (order_id) DO UPDATE
SET captured_minor = EXCLUDED.captured_minor, captured_invoice = EXCLUDED.captured_invoice, paid_at = EXCLUDED.paid_at
WHERE payment_orders.captured_invoice IS NULL
"""
_POST_CAPTURES = f"""
INSERT INTO ledger ({COLUMNS})
SELECT order_id, 'capture', captured_invoice::text, paid_at, storefront, captured_invoice, 'bank_clearing',
  'buyer_funds', captured_minor, currency
FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[])) AND captured_minor > 0
ON CONFLICT DO NOTHING
"""
_POST_SURPLUS = f"""
INSERT INTO ledger ({COLUMNS})
SELECT s.order_id, 'surplus', s.invoice_id::text, s.captured_at, o.storefront, s.invoice_id, 'bank_clearing',
  'duplicate_payable', s.amount_minor, s.currency
FROM surplus_charges s JOIN payment_orders o ON o.order_id = s.order_id
WHERE s.charge_id = ANY(CAST(:charges AS uuid[])) AND s.amount_minor > 0
ON CONFLICT DO NOTHING
"""
_ATTEMPTS = """
INSERT INTO attempts (invoice_id, order_id, number, secret_hash, state, reason_code, opened_at, settled_at)
SELECT e.invoice_id, e.order_id,
  COALESCE((SELECT max(a.number) FROM attempts a WHERE a.order_id = e.order_id), 0)
    + row_number() OVER (PARTITION BY e.order_id ORDER BY e.invoice_id),
  e.secret, e.state, e.code, e.at, CASE WHEN e.state <> 'open' THEN e.at END
FROM unnest(CAST(:invoices AS bigint[]), CAST(:orders AS uuid[]), CAST(:secrets AS text[]), CAST(:states AS text[]),
            CAST(:codes AS int[]), CAST(:moments AS timestamptz[])) AS e(invoice_id, order_id, secret, state, code, at)
ON CONFLICT (invoice_id) DO UPDATE
SET state = EXCLUDED.state, reason_code = EXCLUDED.reason_code, settled_at = EXCLUDED.settled_at
WHERE attempts.state NOT IN ('captured', 'duplicate') AND EXCLUDED.state <> 'open'
"""
_NO_QUESTIONS = "DELETE FROM work WHERE kind IN ('check_status', 'poll') AND key = ANY(CAST(:keys AS text[]))"
_UNNAMED = """
SELECT a.invoice_id, o.order_number, o.price_minor, o.currency FROM attempts a JOIN payment_orders o USING (order_id)
WHERE a.state IN ('captured', 'duplicate') AND a.transaction_id IS NULL ORDER BY a.invoice_id
"""
_NAME = (
    "UPDATE attempts SET transaction_id = :transaction WHERE invoice_id = :invoice_id",
    """
UPDATE payment_orders SET transaction_id = :transaction WHERE captured_invoice = :invoice_id AND transaction_id IS NULL
""",
    "UPDATE surplus_charges SET transaction_id = :transaction WHERE invoice_id = :invoice_id AND transaction_id = ''",
)
#: Invoice ids that may have been handed out in the lost time, and of which nothing is stored.
_UNKNOWN = """
SELECT n FROM generate_series(
  COALESCE((SELECT max(invoice_id) FROM attempts WHERE opened_at < :since) + 1, CAST(:first AS bigint)),
  CAST(:last AS bigint)) AS n
WHERE NOT EXISTS (SELECT 1 FROM attempts a WHERE a.invoice_id = n)
"""
_BY_NUMBER = """
SELECT order_id, order_number, price_minor, currency, trace FROM payment_orders WHERE order_number = :number
"""
_PARK = """
UPDATE work SET state = 'parked', last_error = :reason
WHERE kind = 'refund' AND key = ANY(CAST(:keys AS text[])) RETURNING key
"""
_ADVANCE = "SELECT count(nextval('invoice_ids')) FROM generate_series(1, CAST(:count AS int))"


@dataclass(slots=True, frozen=True)
class KnownAttempt:
    """An attempt as an event, or the bank, describes it. state: captured | duplicate | failed | open."""

    invoice_id: int
    order_id: UUID
    state: str
    at: datetime
    reason_code: int | None = None


async def keep_captures(tx: Tx, events: Sequence[tuple[OrderPaid, str | None]]) -> None:
    """Store paid orders, with what the order's own event would have stored, and post their captures."""
    rows = [
        {
            **order_row(event, event.paid, event.paid_at, trace),
            "captured_minor": event.paid.amount,
            "captured_invoice": int(event.invoice_id),
            "paid_at": event.paid_at,
        }
        for event, trace in events
    ]
    await tx.insert(payment_orders, sorted(rows, key=lambda row: row["order_id"].int), on_conflict=_PAID)
    await tx.execute(_POST_CAPTURES, orders=[event.order_id for event, _ in events])


async def keep_surplus(tx: Tx, events: Sequence[DuplicateCharged]) -> None:
    """Store second captures and post them; the bank's transaction ids are asked for later."""
    rows = [
        {
            "charge_id": event.charge_id,
            "order_id": event.order_id,
            "invoice_id": int(event.invoice_id),
            "transaction_id": "",
            "amount_minor": event.amount.amount,
            "currency": event.amount.currency,
            "captured_at": event.captured_at,
        }
        for event in events
    ]
    await tx.insert(surplus_charges, rows)
    await tx.execute(_POST_SURPLUS, charges=[event.charge_id for event in events])


async def keep_attempts(tx: Tx, attempts: Iterable[KnownAttempt]) -> None:
    """Store attempts under the invoice ids that they had; one that has ended is asked about no more.

    Its secret is lost: a webhook about it is refused, and the bank is asked instead.
    """
    known = list({attempt.invoice_id: attempt for attempt in attempts}.values())
    await tx.execute(
        _ATTEMPTS,
        invoices=[attempt.invoice_id for attempt in known],
        orders=[attempt.order_id for attempt in known],
        secrets=[secrets.token_hex(16) for _ in known],
        states=[attempt.state for attempt in known],
        codes=[attempt.reason_code for attempt in known],
        moments=[attempt.at for attempt in known],
    )
    await tx.execute(_NO_QUESTIONS, keys=[str(attempt.invoice_id) for attempt in known if attempt.state != "open"])


async def advance_invoice_ids(tx: Tx, ahead: int) -> tuple[int, int]:
    """Move the sequence so many numbers behind every known invoice id.

    Returns the first number that the backup had not handed out, and the last one that stays unused.
    """
    first = int((await tx.execute("SELECT nextval('invoice_ids')")).scalar())
    newest = int((await tx.execute("SELECT COALESCE(max(invoice_id), 0) FROM attempts")).scalar())
    last = max(first, newest) + ahead
    await tx.execute(_ADVANCE, count=last - first)
    return first, last


async def unnamed_captures(tx: Tx) -> Sequence[Any]:
    """Captures without the bank's transaction id: invoice_id, order_number, price_minor, currency."""
    return (await tx.execute(_UNNAMED)).all()


async def name_capture(tx: Tx, invoice_id: int, transaction_id: str) -> None:
    """Store the bank's transaction id of a capture."""
    for statement in _NAME:
        await tx.execute(statement, invoice_id=invoice_id, transaction=transaction_id)


async def unknown_invoices(tx: Tx, since: datetime, first: int, last: int) -> list[int]:
    """Invoice ids up to `last` of which nothing is stored, of the lost time; from `first` where there were none before.

    The newest attempt that an event names is no end: the last payments before the failure are those without an event.
    """
    return list((await tx.execute(_UNKNOWN, since=since, first=first, last=last)).scalars())


async def order_of_number(tx: Tx, number: str) -> Any:
    """The order with this number: order_id, order_number, price_minor, currency, trace; None where there is none."""
    return (await tx.execute(_BY_NUMBER, number=number)).one_or_none()


async def park_refunds(tx: Tx, refund_ids: Iterable[UUID], reason: str) -> list[str]:
    """Let a person decide about these refunds; returns the ids of those that have a task."""
    return list((await tx.execute(_PARK, keys=[str(one) for one in refund_ids], reason=reason)).scalars())
