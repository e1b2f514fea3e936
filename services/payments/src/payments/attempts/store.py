"""SQL of attempts: the attempt to pay now, and how attempts end. An order keeps one capture (invariant I2)."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments.attempts.models import POLL, CheckPayload, EndedAttempt, PayableAttempt, WebhookTarget
from payments.attempts.rules.failure_reasons import reason
from payments.clients.epay.webhook import Notice
from payments.clients.models import Payer, Purchase
from payments.ledger import COLUMNS
from payments.tables import attempts, notifications
from shared.contracts import DuplicateCharged, Money, OrderPaid, PaymentFailed, PaymentLapsed, Plan, order_fields
from shared.database import Tx
from shared.ids import uuid_for

#: Orders that lapse per transaction.
LAPSE_STEP = 1000

# --- the attempt to pay now ----------------------------------------------------------------------------------------

_LAST_ATTEMPT = """
SELECT o.order_id, o.order_number, o.buyer_id, o.plan->>'title' AS title, o.price_minor, o.currency, o.trace,
  o.captured_invoice, o.lapsed_at, c.buyer_id AS contact, c.name, c.email, c.phone, c.language,
  a.invoice_id, a.number, a.state, a.secret_hash, a.handed_out_at
FROM payment_orders o
LEFT JOIN contacts c ON c.buyer_id = o.buyer_id
JOIN LATERAL (SELECT * FROM attempts WHERE order_id = o.order_id ORDER BY number DESC LIMIT 1) a ON true
WHERE o.order_id = :order_id AND o.storefront = :storefront
"""
_HAND_OUT = "UPDATE attempts SET handed_out_at = :now WHERE invoice_id = :invoice_id AND handed_out_at IS NULL"
_ENDED = frozenset({"failed", "expired"})
#: Attempts to pay one order. Numbers are unique by order, so concurrent requests cannot exceed it.
MOST_ATTEMPTS = 50
#: The attempt is locked, so that its notifications are counted one after the other.
_WEBHOOK_TARGET = """
SELECT a.secret_hash, a.order_id, o.order_number, o.price_minor, o.currency, o.trace
FROM attempts a JOIN payment_orders o ON o.order_id = a.order_id WHERE a.invoice_id = :invoice_id
FOR NO KEY UPDATE OF a
"""
_OF_ORDER = """
SELECT invoice_id, number, state, reason_code, transaction_id, opened_at, handed_out_at, settled_at FROM attempts
WHERE order_id = :order_id ORDER BY number
"""


class NotPayableError(Exception):
    """The order cannot be paid now."""


class OrderNotStoredError(NotPayableError):
    """The order, or its buyer's contact, has not arrived (yet): both come over Kafka."""


class OrderAlreadyPaidError(NotPayableError):
    """The order keeps a capture."""


class OrderLapsedError(NotPayableError):
    """The order was not paid in time."""


class TooManyAttemptsError(NotPayableError):
    """All `MOST_ATTEMPTS` attempts of the order have ended without a payment."""


def new_attempt(order_id: UUID, number: int) -> dict[str, Any]:
    """The row of a new attempt; its invoice id comes from the sequence, its secret from the operating system."""
    return {"order_id": order_id, "number": number, "secret_hash": secrets.token_hex(16)}


async def open_attempt(tx: Tx, order_id: UUID, storefront: str, first_poll: timedelta) -> PayableAttempt:
    """Hand out the attempt to pay now, and schedule `poll` for it. Raises NotPayableError.

    It is the last attempt, or a new one where the last one has ended.
    """
    row = await _last_attempt(tx, order_id, storefront)
    if row.state in _ENDED:
        if row.number >= MOST_ATTEMPTS:
            raise TooManyAttemptsError
        # Two concurrent requests agree on one new attempt: its number is unique, and both read the row again.
        await tx.insert(attempts, [new_attempt(order_id, row.number + 1) | {"opened_at": tx.now}])
        row = await _last_attempt(tx, order_id, storefront)
    if row.handed_out_at is None:
        await tx.execute(_HAND_OUT, now=tx.now, invoice_id=row.invoice_id)
        payload = CheckPayload(
            order_id=order_id, amount=row.price_minor, currency=row.currency, order_number=row.order_number
        )
        tx.schedule(POLL, str(row.invoice_id), payload, due_at=tx.now + first_poll, trace=row.trace)
    return PayableAttempt(
        purchase=Purchase(
            invoice_id=row.invoice_id,
            order_number=row.order_number,
            buyer_id=str(row.buyer_id),
            plan_title=row.title,
            amount=row.price_minor,
            currency=row.currency,
        ),
        payer=Payer(name=row.name, email=row.email, phone=row.phone, language=row.language),
        trace=row.trace,
        secret_hash=row.secret_hash,
    )


async def _last_attempt(tx: Tx, order_id: UUID, storefront: str) -> Any:
    row = (await tx.execute(_LAST_ATTEMPT, order_id=order_id, storefront=storefront)).one_or_none()
    if row is None or row.contact is None:
        raise OrderNotStoredError
    if row.captured_invoice is not None:
        raise OrderAlreadyPaidError
    if row.lapsed_at is not None:
        raise OrderLapsedError
    return row


async def webhook_target(tx: Tx, invoice_id: int) -> WebhookTarget | None:
    """The attempt with this invoice id; None where there is none."""
    row = (await tx.execute(_WEBHOOK_TARGET, invoice_id=invoice_id)).one_or_none()
    if row is None:
        return None
    return WebhookTarget(row.order_id, row.order_number, row.price_minor, row.currency, row.trace, row.secret_hash)


async def record_notice(tx: Tx, notice: Notice) -> bool:
    """Keep a webhook; False when the same one was kept before."""
    row = {
        "invoice_id": notice.invoice_id,
        "transaction_id": notice.transaction_id,
        "code": notice.code,
        "reason_code": notice.reason_code,
        "received_at": tx.now,
    }
    return bool(await tx.insert(notifications, [row], returning="invoice_id"))


async def count_notices(tx: Tx, invoice_id: int) -> int:
    """How many different webhooks of an attempt are kept."""
    rows = await tx.execute("SELECT count(*) FROM notifications WHERE invoice_id = :id", id=invoice_id)
    kept: int = rows.scalar()
    return kept


async def of_order(tx: Tx, order_id: UUID) -> Sequence[Any]:
    """All attempts of an order, the first one first."""
    return (await tx.execute(_OF_ORDER, order_id=order_id)).all()


async def is_captured(tx: Tx, invoice_id: int) -> bool:
    """Whether the capture of this attempt is recorded, as the kept one or as a second one."""
    state = await tx.execute("SELECT state FROM attempts WHERE invoice_id = :id", id=invoice_id)
    return state.scalar() in ("captured", "duplicate")


async def kept_invoice(tx: Tx, order_id: UUID) -> int | None:
    """The invoice id of the capture that the order keeps."""
    rows = await tx.execute("SELECT captured_invoice FROM payment_orders WHERE order_id = :id", id=order_id)
    invoice_id: int | None = rows.scalar()
    return invoice_id


async def transaction_of(tx: Tx, invoice_id: int) -> str:
    """The bank's transaction id of an attempt."""
    rows = await tx.execute("SELECT transaction_id FROM attempts WHERE invoice_id = :id", id=invoice_id)
    return str(rows.one().transaction_id)


# --- how attempts end ----------------------------------------------------------------------------------------------

#: The first transaction that fills `captured_invoice` decides which capture the order keeps.
_KEEP = f"""
WITH kept AS (
UPDATE payment_orders o SET captured_minor = o.price_minor, captured_invoice = c.invoice_id,
  transaction_id = c.transaction_id, paid_at = :now
FROM unnest(CAST(:orders AS uuid[]), CAST(:invoices AS bigint[]), CAST(:transactions AS text[]))
  AS c(order_id, invoice_id, transaction_id)
WHERE o.order_id = c.order_id AND o.captured_invoice IS NULL
RETURNING o.order_id, o.order_number, o.storefront, o.buyer_id, o.kind, o.iccid, o.plan, o.price_minor, o.currency,
  o.captured_invoice
), posted AS (
INSERT INTO ledger ({COLUMNS})
SELECT order_id, 'capture', captured_invoice::text, :now, storefront, captured_invoice, 'bank_clearing', 'buyer_funds',
  price_minor, currency FROM kept WHERE price_minor > 0
)
SELECT * FROM kept
"""
_KEPT_BEFORE = "SELECT order_id, captured_invoice FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[]))"
_CAPTURED = """
UPDATE attempts a SET state = c.state, transaction_id = c.transaction_id, settled_at = :now
FROM unnest(CAST(:invoices AS bigint[]), CAST(:states AS text[]), CAST(:transactions AS text[]))
  AS c(invoice_id, state, transaction_id)
WHERE a.invoice_id = c.invoice_id AND a.state NOT IN ('captured', 'duplicate')
RETURNING a.invoice_id, a.state, a.transaction_id
"""
_SURPLUS = f"""
WITH surplus AS (
INSERT INTO surplus_charges (charge_id, order_id, invoice_id, transaction_id, amount_minor, currency, captured_at)
SELECT c.charge_id, o.order_id, a.invoice_id, a.transaction_id, o.price_minor, o.currency, :now
FROM unnest(CAST(:charges AS uuid[]), CAST(:invoices AS bigint[])) AS c(charge_id, invoice_id)
JOIN attempts a ON a.invoice_id = c.invoice_id AND a.state = 'duplicate'
JOIN payment_orders o ON o.order_id = a.order_id
ON CONFLICT DO NOTHING
RETURNING charge_id, order_id, invoice_id, amount_minor, currency
), posted AS (
INSERT INTO ledger ({COLUMNS})
SELECT s.order_id, 'surplus', s.invoice_id::text, :now, o.storefront, s.invoice_id, 'bank_clearing',
  'duplicate_payable', s.amount_minor, s.currency
FROM surplus s JOIN payment_orders o ON o.order_id = s.order_id WHERE s.amount_minor > 0
)
SELECT s.charge_id, s.invoice_id, s.amount_minor, s.currency, o.order_id, o.order_number, o.storefront, o.buyer_id
FROM surplus s JOIN payment_orders o ON o.order_id = s.order_id
"""
_FAILED = """
UPDATE attempts a SET state = 'failed', reason_code = c.reason_code, transaction_id = c.transaction_id,
  settled_at = :now
FROM unnest(CAST(:invoices AS bigint[]), CAST(:codes AS int[]), CAST(:transactions AS text[]))
  AS c(invoice_id, reason_code, transaction_id), payment_orders o
WHERE a.invoice_id = c.invoice_id AND a.state IN ('open', 'expired') AND o.order_id = a.order_id
RETURNING a.invoice_id, o.order_id, o.order_number, o.storefront, o.buyer_id
"""
_EXPIRED = """
UPDATE attempts SET state = 'expired', settled_at = :now
WHERE invoice_id = ANY(CAST(:invoices AS bigint[])) AND state = 'open'
"""
#: The attempt has ended, so the timer has nothing to ask. A task that is being performed ends by itself.
_CANCEL_POLLS = "DELETE FROM work WHERE kind = 'poll' AND key = ANY(:keys) AND owner IS NULL"
_UNPAID = """
SELECT order_id, lapse_at FROM payment_orders
WHERE lapse_at > :since AND lapse_at <= :until AND captured_invoice IS NULL AND lapsed_at IS NULL
ORDER BY lapse_at LIMIT :step
"""
_LAPSED = """
UPDATE payment_orders SET lapsed_at = :now
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND captured_invoice IS NULL AND lapsed_at IS NULL
RETURNING order_id, order_number, storefront, buyer_id, trace
"""


@dataclass(slots=True, frozen=True)
class CaptureCounts:
    """How many captures were recorded: kept by their orders, and second ones."""

    kept: int
    duplicate: int


async def record_captured(tx: Tx, ended: Sequence[EndedAttempt]) -> CaptureCounts:
    """Keep the first capture of each order and publish OrderPaid; record every other one as a surplus charge."""
    first: dict[UUID, EndedAttempt] = {}
    for attempt in sorted(ended, key=lambda attempt: attempt.invoice_id):
        first.setdefault(attempt.order_id, attempt)
    chosen = [first[order_id] for order_id in sorted(first)]
    kept = await tx.execute(
        _KEEP,
        orders=[attempt.order_id for attempt in chosen],
        invoices=[attempt.invoice_id for attempt in chosen],
        transactions=[attempt.answer.transaction_id for attempt in chosen],
        now=tx.now,
    )
    kept_rows = kept.all()
    for row in kept_rows:
        tx.publish(_order_paid(row, tx), trace=first[row.order_id].trace)
    states = await _states(tx, ended, {row.order_id: row.captured_invoice for row in kept_rows})
    recorded = await tx.execute(
        _CAPTURED,
        invoices=[attempt.invoice_id for attempt in ended],
        states=[states[attempt.invoice_id] for attempt in ended],
        transactions=[attempt.answer.transaction_id for attempt in ended],
        now=tx.now,
    )
    recorded_rows = recorded.all()
    surplus = {row.invoice_id: row.transaction_id for row in recorded_rows if row.state == "duplicate"}
    if surplus:
        await record_surplus(tx, surplus, {attempt.invoice_id: attempt.trace for attempt in ended})
    await _cancel_polls(tx, ended)
    return CaptureCounts(len(recorded_rows) - len(surplus), len(surplus))


async def record_surplus(tx: Tx, transactions: Mapping[int, str], traces: Mapping[int, str | None]) -> None:
    """Post and publish second captures, once each (RF 2.4). `transactions`: transaction ids by invoice id."""
    invoices = sorted(transactions)
    charges = [uuid_for("surplus charge", transactions[invoice_id]) for invoice_id in invoices]
    for row in await tx.execute(_SURPLUS, charges=charges, invoices=invoices, now=tx.now):
        charged = DuplicateCharged(
            **order_fields(row),
            charge_id=row.charge_id,
            invoice_id=str(row.invoice_id),
            amount=Money(amount=row.amount_minor, currency=row.currency),
            captured_at=tx.now,
        )
        tx.publish(charged, trace=traces[row.invoice_id])


async def record_failed(tx: Tx, ended: Sequence[EndedAttempt]) -> None:
    """Record failed attempts and publish PaymentFailed, once each. Another attempt may still pay the order."""
    by_invoice = {attempt.invoice_id: attempt for attempt in ended}
    failed = await tx.execute(
        _FAILED,
        invoices=list(by_invoice),
        codes=[attempt.answer.reason_code for attempt in by_invoice.values()],
        transactions=[attempt.answer.transaction_id for attempt in by_invoice.values()],
        now=tx.now,
    )
    for row in failed:
        attempt = by_invoice[row.invoice_id]
        why = reason(attempt.answer.reason_code, attempt.answer.status)
        event = PaymentFailed(
            **order_fields(row),
            invoice_id=str(row.invoice_id),
            reason_code=attempt.answer.reason_code,
            reason=why.sentence("en"),
            reason_ru=why.sentence("ru"),
            reason_kk=why.sentence("kk"),
            reason_ka=why.sentence("ka"),
            failed_at=tx.now,
        )
        tx.publish(event, trace=attempt.trace)
    await _cancel_polls(tx, ended)


async def record_expired(tx: Tx, ended: Sequence[EndedAttempt]) -> None:
    """Record attempts that nobody paid in time. A payment that arrives later counts: its webhook schedules a check."""
    await tx.execute(_EXPIRED, invoices=[attempt.invoice_id for attempt in ended], now=tx.now)


async def unpaid_orders(tx: Tx, since: datetime, until: datetime) -> Sequence[Any]:
    """Up to `LAPSE_STEP` unpaid orders whose time ended in this span: order_id, lapse_at; the earliest first."""
    return (await tx.execute(_UNPAID, since=since, until=until, step=LAPSE_STEP)).all()


async def record_lapsed(tx: Tx, orders: Sequence[UUID]) -> int:
    """Let these orders lapse where they are unpaid still, and publish PaymentLapsed; returns their number."""
    rows = (await tx.execute(_LAPSED, orders=sorted(orders), now=tx.now)).all()
    for row in rows:
        lapsed = PaymentLapsed(
            **order_fields(row),
            lapsed_at=tx.now,
        )
        tx.publish(lapsed, trace=row.trace)
    return len(rows)


async def _states(tx: Tx, ended: Sequence[EndedAttempt], kept: dict[UUID, int]) -> dict[int, str]:
    """By invoice id, `captured` for the capture that the order keeps, `duplicate` for any other."""
    others = {attempt.order_id for attempt in ended} - kept.keys()
    if others:
        rows = await tx.execute(_KEPT_BEFORE, orders=sorted(others))
        kept = kept | {row.order_id: row.captured_invoice for row in rows}
    return {
        attempt.invoice_id: "captured" if kept.get(attempt.order_id) == attempt.invoice_id else "duplicate"
        for attempt in ended
    }


async def _cancel_polls(tx: Tx, ended: Iterable[EndedAttempt]) -> None:
    await tx.execute(_CANCEL_POLLS, keys=sorted(str(attempt.invoice_id) for attempt in ended))


def _order_paid(row: Any, tx: Tx) -> OrderPaid:
    return OrderPaid(
        **order_fields(row),
        kind=row.kind,
        iccid=row.iccid,
        plan=Plan.model_validate(row.plan),
        paid=Money(amount=row.price_minor, currency=row.currency),
        invoice_id=str(row.captured_invoice),
        paid_at=tx.now,
    )
