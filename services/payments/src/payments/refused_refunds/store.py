"""SQL of actions on refused refunds and of payments by hand. Amounts in minor units.

Every writing function needs `claim` or `refunds.lock_order` before it: the lock excludes other actions and attempts on
refunds of the same order.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from payments.ledger import COLUMNS, post_late
from payments.refunds import lock_order, reserve
from payments.refused_refunds.models import PaymentStanding, RefundStanding, Refusal
from payments.tables import hand_payments
from shared.contracts import HandPaymentDecided, HandPaymentRecorded, Money, RefundPaidByHand, RefundSettled
from shared.database import Tx

_CLAIM = """
INSERT INTO refund_actions (action_id, refund_id, kind, asked_by, answered_at)
VALUES (:action_id, :refund_id, :kind, :asked_by, :now) ON CONFLICT DO NOTHING RETURNING action_id
"""
_STANDING = """
SELECT r.state, r.amount_minor - r.hand_minor AS unpaid, r.currency,
  EXISTS (SELECT 1 FROM hand_payments h
          WHERE h.refund_id = r.refund_id AND h.state IN ('recorded', 'confirming')) AS payment_open
FROM refunds r WHERE r.refund_id = :refund_id
"""
_FUNDS = """
SELECT r.order_id, r.charge_id,
  CASE WHEN r.charge_id IS NOT NULL THEN 'duplicate_payable'
       WHEN EXISTS (SELECT 1 FROM ledger l WHERE l.order_id = r.order_id AND l.kind = 'revenue') THEN 'revenue'
       ELSE 'buyer_funds' END AS funds,
  CASE WHEN r.charge_id IS NULL THEN o.currency ELSE s.currency END AS paid_currency,
  CASE WHEN r.charge_id IS NULL THEN o.order_id ELSE s.order_id END AS paid_order
FROM refunds r LEFT JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.refund_id = :refund_id
"""
#: `kind`: hand_promised takes from `funds`, hand_released gives back (to revenue where the funds became revenue
#: meanwhile), hand_paid pays out.
_POST = f"""
INSERT INTO ledger ({COLUMNS})
SELECT h.order_id, CAST(:kind AS text), h.payment_id::text, :now, r.storefront,
  COALESCE(s.invoice_id, o.captured_invoice),
  CASE WHEN :kind = 'hand_promised' THEN h.funds ELSE 'refunds_payable' END,
  CASE :kind WHEN 'hand_promised' THEN 'refunds_payable' WHEN 'hand_paid' THEN 'hand_payouts'
    ELSE CASE WHEN r.charge_id IS NULL
      AND EXISTS (SELECT 1 FROM ledger l WHERE l.order_id = r.order_id AND l.kind = 'revenue')
      THEN 'revenue' ELSE h.funds END END,
  h.amount_minor, h.currency
FROM hand_payments h JOIN refunds r ON r.refund_id = h.refund_id JOIN payment_orders o ON o.order_id = h.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE h.payment_id = :payment_id
"""
_RELEASE = """
UPDATE payment_orders SET refunded_minor = refunded_minor - :amount
WHERE order_id = (SELECT order_id FROM refunds WHERE refund_id = :refund_id AND charge_id IS NULL)
"""
_RELEASE_SURPLUS = """
UPDATE surplus_charges SET refunded_minor = refunded_minor - :amount
WHERE charge_id = (SELECT charge_id FROM refunds WHERE refund_id = :refund_id)
"""
_DECIDE = """
UPDATE hand_payments SET state = 'confirming', decision_id = :decision_id, decided_by = :by, decided_at = :now
WHERE payment_id = :payment_id AND state = 'recorded'
"""
_DROP = """
UPDATE hand_payments SET state = :state, refusal = :refusal, ended_at = :now,
  decision_id = COALESCE(decision_id, :decision_id), decided_by = COALESCE(decided_by, :by),
  decided_at = COALESCE(decided_at, :now)
WHERE payment_id = :payment_id AND state IN ('recorded', 'confirming') RETURNING amount_minor, refund_id
"""
_CONFIRM = """
UPDATE hand_payments SET state = 'confirmed', ended_at = :now WHERE payment_id = :payment_id AND state = 'confirming'
RETURNING payment_id
"""
_END = """
UPDATE refunds SET state = 'paid_by_hand', ended_at = :now
WHERE refund_id = :refund_id AND state = 'failed' AND hand_minor = amount_minor
"""
_WHOLE = """
SELECT h.*, r.order_number, r.storefront, r.buyer_id, r.charge_id, r.state AS refund_state, r.called_at,
  r.amount_minor AS refund_minor, r.hand_minor, COALESCE(s.invoice_id, o.captured_invoice) AS invoice_id,
  CASE WHEN r.charge_id IS NULL THEN o.captured_minor ELSE s.amount_minor END AS captured_minor,
  CASE WHEN r.charge_id IS NULL THEN o.refunded_minor ELSE s.refunded_minor END AS refunded_minor,
  (SELECT COALESCE(sum(x.hand_minor), 0)::bigint FROM refunds x
   WHERE x.order_id = r.order_id AND x.charge_id IS NOT DISTINCT FROM r.charge_id) AS all_by_hand
FROM hand_payments h JOIN refunds r ON r.refund_id = h.refund_id JOIN payment_orders o ON o.order_id = h.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE h.payment_id = :payment_id
"""


async def claim(tx: Tx, action_id: UUID, refund_id: UUID, kind: str, by: UUID) -> bool:
    """Lock the order; whether this action is new. An action that was answered before has no effect."""
    await lock_order(tx, refund_id)
    claimed = await tx.execute(_CLAIM, action_id=action_id, refund_id=refund_id, kind=kind, asked_by=by, now=tx.now)
    return claimed.scalar() is not None


async def answer(tx: Tx, action_id: UUID, refusal: Refusal | None) -> None:
    """Record why an action was refused; None: it was accepted."""
    await tx.execute(
        "UPDATE refund_actions SET refusal = :refusal WHERE action_id = :id", id=action_id, refusal=refusal
    )


async def standing(tx: Tx, refund_id: UUID) -> RefundStanding | None:
    """The refund's standing; None where there is no such refund."""
    row = (await tx.execute(_STANDING, refund_id=refund_id)).one_or_none()
    return None if row is None else RefundStanding(row.state, row.unpaid, row.currency, row.payment_open)


async def payment_standing(tx: Tx, payment_id: UUID) -> PaymentStanding | None:
    """The payment's standing; None where there is no such payment."""
    row = (
        await tx.execute("SELECT state, recorded_by FROM hand_payments WHERE payment_id = :id", id=payment_id)
    ).first()
    return None if row is None else PaymentStanding(row.state, row.recorded_by)


async def record(tx: Tx, event: HandPaymentRecorded) -> Refusal | None:
    """Reserve the amount of the capture, store the payment, and post the promise; or return why not."""
    source = (await tx.execute(_FUNDS, refund_id=event.refund_id)).one()
    if source.paid_order != event.order_id or source.order_id != event.order_id:
        return Refusal.BEYOND_PAYMENT  # there is no such capture
    if source.paid_currency != event.amount.currency:
        return Refusal.WRONG_CURRENCY
    await post_late(tx, [event.order_id])
    amount = event.amount.amount
    left = await reserve(tx, order_id=event.order_id, charge_id=source.charge_id, amount=amount)
    if left is None:
        return Refusal.BEYOND_PAYMENT
    row = {
        "payment_id": event.payment_id,
        "refund_id": event.refund_id,
        "order_id": event.order_id,
        "amount_minor": amount,
        "currency": event.amount.currency,
        "way": event.way,
        "reference": event.reference,
        "funds": source.funds,
        "state": "recorded",
        "recorded_by": event.recorded_by,
        "recorded_at": tx.now,
    }
    await tx.insert(hand_payments, [row], on_conflict="")
    await _post(tx, event.payment_id, "hand_promised")
    return None


async def decide(tx: Tx, event: HandPaymentDecided) -> None:
    """Record that a second person confirmed the payment; the task books it after it has asked the bank."""
    await tx.execute(
        _DECIDE, payment_id=event.payment_id, decision_id=event.decision_id, by=event.decided_by, now=tx.now
    )


async def drop(tx: Tx, payment_id: UUID, *, state: str, refusal: str | None, decision_id: UUID, by: UUID) -> bool:
    """End a payment that is not booked, and release what was reserved for it. False: it had ended."""
    row = (
        await tx.execute(
            _DROP, payment_id=payment_id, state=state, refusal=refusal, decision_id=decision_id, by=by, now=tx.now
        )
    ).one_or_none()
    if row is None:
        return False
    for statement in (_RELEASE, _RELEASE_SURPLUS):
        await tx.execute(statement, refund_id=row.refund_id, amount=row.amount_minor)
    await _post(tx, payment_id, "hand_released")
    return True


async def read(tx: Tx, payment_id: UUID) -> Any:
    """A payment with its refund and its capture."""
    return (await tx.execute(_WHOLE, payment_id=payment_id)).one()


async def confirm(tx: Tx, payment_id: UUID, trace: str | None) -> Any:
    """Book a confirmed payment; publish RefundPaidByHand, and RefundSettled after the last part.

    Returns the payment with its refund; None: it had ended.
    """
    if (await tx.execute(_CONFIRM, payment_id=payment_id, now=tx.now)).scalar() is None:
        return None
    await _post(tx, payment_id, "hand_paid")
    row = await read(tx, payment_id)
    await tx.execute(_END, refund_id=row.refund_id, now=tx.now)
    about = {name: getattr(row, name) for name in ("order_id", "order_number", "storefront", "buyer_id", "refund_id")}
    paid = RefundPaidByHand(
        **about,
        payment_id=payment_id,
        amount=Money(amount=row.amount_minor, currency=row.currency),
        way=row.way,
        left=Money(amount=row.refund_minor - row.hand_minor, currency=row.currency),
        paid_at=tx.now,
        charge_id=row.charge_id,
    )
    tx.publish(paid, trace=trace)
    if row.hand_minor == row.refund_minor:
        whole = Money(amount=row.refund_minor, currency=row.currency)
        left = Money(amount=row.captured_minor - row.refunded_minor, currency=row.currency)
        settled = RefundSettled(
            **about,
            amount=whole,
            settled_at=tx.now,
            charge_id=row.charge_id,
            way=row.way,
            paid_by_hand=whole,
            remaining_payment=left if row.charge_id is None else None,
        )
        tx.publish(settled, trace=trace)
    return row


async def _post(tx: Tx, payment_id: UUID, kind: str) -> None:
    await tx.execute(_POST, payment_id=payment_id, kind=kind, now=tx.now)


_MOST_LISTED = 300
_REFUSED = f"""
SELECT * FROM refunds WHERE state = 'failed' ORDER BY refused_at, refund_id LIMIT {_MOST_LISTED}
"""
_PAYMENTS = "SELECT * FROM hand_payments WHERE refund_id = :refund_id ORDER BY recorded_at, payment_id"
_ACTIONS = "SELECT * FROM refund_actions WHERE refund_id = :refund_id ORDER BY answered_at, action_id"
#: Where nothing is left of the capture, another refund has returned it, and nothing is owed any more.
_OWED = """
SELECT count(*) AS open, min(r.refused_at) AS oldest,
  (SELECT count(*) FROM hand_payments WHERE state IN ('recorded', 'confirming')) AS unconfirmed
FROM refunds r LEFT JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.state = 'failed' AND CASE WHEN r.charge_id IS NULL THEN o.captured_minor > o.refunded_minor - r.hand_minor
  ELSE s.amount_minor > s.refunded_minor - r.hand_minor END
"""


async def refused(tx: Tx) -> Sequence[Any]:
    """Refunds that the bank refused and that are not paid yet, the oldest first; at most 300."""
    return (await tx.execute(_REFUSED)).all()


async def refund(tx: Tx, refund_id: UUID) -> Any:
    """One refund; None where there is none."""
    return (await tx.execute("SELECT * FROM refunds WHERE refund_id = :id", id=refund_id)).one_or_none()


async def payments_of(tx: Tx, refund_id: UUID) -> Sequence[Any]:
    """The payments by hand of a refund, the first one first."""
    return (await tx.execute(_PAYMENTS, refund_id=refund_id)).all()


async def actions_on(tx: Tx, refund_id: UUID) -> Sequence[Any]:
    """The actions on a refund, the first one first."""
    return (await tx.execute(_ACTIONS, refund_id=refund_id)).all()


async def count_owed(tx: Tx) -> Any:
    """`open` refused refunds, the moment when the `oldest` was refused, and `unconfirmed` payments by hand."""
    return (await tx.execute(_OWED)).one()
