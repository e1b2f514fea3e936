"""SQL of the double-entry ledger. A posting is inserted by the statement that records its cause.

Accounts of an order: `bank_clearing` (what the bank holds for us; an asset), `buyer_funds` (paid in advance for a
package, PO 4.2), `duplicate_payable` (taken twice, to go back, RF 2.4), `refunds_payable` (promised to the buyer),
`revenue`, and `hand_payouts` (what persons paid another way than through the bank). A posting debits one account and
credits another with the same amount, so it cannot be unbalanced. Revenue is recognised when an order's regular time
for refunds is over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from payments.tables import ledger_imbalances
from shared.database import Tx

#: Captures per step of recognition; larger than the number that one transaction may post.
_STEP = 5000

#: For `INSERT INTO ledger (...)`; the order of all postings' SELECT lists.
COLUMNS = "order_id, kind, key, posted_at, storefront, invoice_id, debit, credit, amount_minor, currency"
_CLEARING = "bank_clearing"
_BY_HAND = "hand_payouts"

#: Captures between two moments, the oldest first.
_CAPTURES = """
SELECT order_id, posted_at FROM ledger
WHERE posted_at >= :since AND posted_at < :until AND kind = 'capture' ORDER BY posted_at LIMIT :step
"""
#: Locks the orders, so that no refund is promised from their funds meanwhile.
_LOCK = """
SELECT 1 FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY order_id FOR NO KEY UPDATE
"""
_RECOGNISE = f"""
INSERT INTO ledger ({COLUMNS})
SELECT o.order_id, 'revenue', o.order_number, :now, o.storefront, o.captured_invoice, 'buyer_funds', 'revenue',
  f.amount, o.currency
FROM payment_orders o
CROSS JOIN LATERAL (
  SELECT sum(CASE WHEN l.credit = 'buyer_funds' THEN l.amount_minor ELSE 0 END)
    - sum(CASE WHEN l.debit = 'buyer_funds' THEN l.amount_minor ELSE 0 END) AS amount
  FROM ledger l WHERE l.order_id = o.order_id) f
WHERE o.order_id = ANY(CAST(:orders AS uuid[])) AND f.amount > 0
ON CONFLICT DO NOTHING
"""
_POSTED = """
SELECT DISTINCT order_id FROM ledger WHERE posted_at >= :since AND posted_at < :until
UNION SELECT order_id FROM ledger_imbalances
"""
#: What was captured, promised and returned, by the ledger and by the other tables; only orders that differ.
_IMBALANCES = """
SELECT * FROM (
  SELECT o.order_id, o.currency,
    abs(l.captured - o.captured_minor)
    + abs(l.surplus - COALESCE(s.captured, 0))
    + abs(l.promised - o.refunded_minor - COALESCE(s.refunded, 0))
    + abs(l.settled - COALESCE(r.settled, 0))
    + abs(l.by_hand - COALESCE(h.paid, 0)) AS off_minor
  FROM (
    SELECT order_id,
      COALESCE(sum(amount_minor) FILTER (WHERE kind = 'capture'), 0)::bigint AS captured,
      COALESCE(sum(amount_minor) FILTER (WHERE kind = 'surplus'), 0)::bigint AS surplus,
      COALESCE(sum(CASE WHEN kind IN ('refund_promised', 'hand_promised') THEN amount_minor
                        WHEN kind IN ('refund_released', 'hand_released') THEN -amount_minor END), 0)
        ::bigint AS promised,
      COALESCE(sum(amount_minor) FILTER (WHERE kind = 'hand_paid'), 0)::bigint AS by_hand,
      COALESCE(sum(amount_minor) FILTER (WHERE kind = 'refund_settled'), 0)::bigint AS settled
    FROM ledger WHERE order_id = ANY(CAST(:orders AS uuid[])) GROUP BY order_id) l
  JOIN payment_orders o ON o.order_id = l.order_id
  LEFT JOIN (
    SELECT order_id, sum(amount_minor)::bigint AS captured, sum(refunded_minor)::bigint AS refunded
    FROM surplus_charges WHERE order_id = ANY(CAST(:orders AS uuid[])) GROUP BY order_id) s ON s.order_id = o.order_id
  LEFT JOIN (
    SELECT order_id, sum(amount_minor - hand_minor)::bigint AS settled
    FROM refunds WHERE order_id = ANY(CAST(:orders AS uuid[])) AND state = 'settled' GROUP BY order_id) r
    ON r.order_id = o.order_id
  LEFT JOIN (
    SELECT order_id, sum(amount_minor)::bigint AS paid
    FROM hand_payments WHERE order_id = ANY(CAST(:orders AS uuid[])) AND state = 'confirmed' GROUP BY order_id) h
    ON h.order_id = o.order_id) compared
WHERE off_minor <> 0
"""
#: Postings that an instance of the version before the ledger, running beside this one, did not insert. The primary
#: key makes repetition harmless.
_LATE = tuple(
    f"INSERT INTO ledger ({COLUMNS}) {select} ON CONFLICT DO NOTHING"
    for select in (
        """
SELECT order_id, 'capture', captured_invoice::text, :now, storefront, captured_invoice, 'bank_clearing', 'buyer_funds',
  captured_minor, currency
FROM payment_orders WHERE order_id = ANY(CAST(:orders AS uuid[])) AND captured_minor > 0
""",
        """
SELECT r.order_id, 'refund_promised', r.refund_id::text, :now, r.storefront, o.captured_invoice, 'buyer_funds',
  'refunds_payable', r.amount_minor, r.currency
FROM refunds r JOIN payment_orders o ON o.order_id = r.order_id
WHERE r.order_id = ANY(CAST(:orders AS uuid[])) AND r.state IN ('calling', 'settled') AND r.funds IS NULL
""",
        """
SELECT r.order_id, 'refund_settled', r.refund_id::text, :now, r.storefront,
  COALESCE(s.invoice_id, o.captured_invoice), 'refunds_payable', 'bank_clearing', r.amount_minor - r.hand_minor,
  r.currency
FROM refunds r JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.order_id = ANY(CAST(:orders AS uuid[])) AND r.state = 'settled'
""",
    )
)
_LISTED = """
SELECT entry_id, posted_at, kind, key, invoice_id, debit, credit, amount_minor, currency
FROM ledger WHERE order_id = :order_id ORDER BY entry_id
"""
_ORDER = """
SELECT order_number, storefront, currency, captured_minor, refunded_minor, paid_at FROM payment_orders
WHERE order_id = :order_id
"""


async def recognise(tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
    """Move what is left of the funds captured in this span to revenue, once per order. Later refunds come from revenue.

    Returns the moment up to which it came, and whether there is more before `until`.
    """
    captures = (await tx.execute(_CAPTURES, since=since, until=until, step=_STEP)).all()
    if captures:
        orders = sorted({row.order_id for row in captures})
        await tx.execute(_LOCK, orders=orders)
        await tx.execute(_RECOGNISE, orders=orders, now=tx.now)
    if len(captures) < _STEP:
        return until, False
    # The captures of one transaction share their moment and are fewer than a step, so this always advances.
    return captures[-1].posted_at, True


async def post_late(tx: Tx, orders: Sequence[UUID]) -> int:
    """Insert the postings that an older version left out for these orders; returns their number."""
    inserted = 0
    for statement in _LATE:
        inserted += (await tx.execute(statement, orders=sorted(orders), now=tx.now)).rowcount
    return inserted


async def check(tx: Tx, since: datetime, until: datetime) -> list[Any]:
    """Compare the ledger with the orders that it posted to in this span, and with those that differed before.

    Returns the orders that differ and did not before: order_id, currency, off_minor.
    """
    orders = (await tx.execute(_POSTED, since=since, until=until)).scalars()
    if not orders:
        return []
    imbalances = (await tx.execute(_IMBALANCES, orders=orders)).all()
    if imbalances and await post_late(tx, [row.order_id for row in imbalances]):
        imbalances = (await tx.execute(_IMBALANCES, orders=orders)).all()
    await tx.execute(
        "DELETE FROM ledger_imbalances WHERE NOT order_id = ANY(CAST(:orders AS uuid[]))",
        orders=[row.order_id for row in imbalances],
    )
    rows = [row._asdict() | {"found_at": tx.now} for row in imbalances]
    new_rows = await tx.insert(ledger_imbalances, rows, returning="order_id")
    new = {row.order_id for row in new_rows}
    return [row for row in imbalances if row.order_id in new]


async def of_order(tx: Tx, order_id: UUID) -> dict[str, Any] | None:
    """All postings of an order and the balance of each account, as JSON; None where there is no such order."""
    order = (await tx.execute(_ORDER, order_id=order_id)).one_or_none()
    if order is None:
        return None
    rows = (await tx.execute(_LISTED, order_id=order_id)).all()
    balances: dict[str, int] = {}
    for row in rows:
        balances[row.debit] = balances.get(row.debit, 0) + row.amount_minor
        balances[row.credit] = balances.get(row.credit, 0) - row.amount_minor
    return {
        "order_id": str(order_id),
        "order_number": order.order_number,
        "storefront": order.storefront,
        "currency": order.currency,
        "paid_in": sum(row.amount_minor for row in rows if row.debit == _CLEARING),
        "paid_out": sum(row.amount_minor for row in rows if row.credit in (_CLEARING, _BY_HAND)),
        "paid_by_hand": sum(row.amount_minor for row in rows if row.credit == _BY_HAND),
        "balances": dict(sorted(balances.items())),
        "postings": [
            {
                "id": row.entry_id,
                "posted_at": row.posted_at.isoformat(),
                "kind": row.kind,
                "key": row.key,
                "invoice_id": str(row.invoice_id),
                "debit": row.debit,
                "credit": row.credit,
                "amount": row.amount_minor,
                "currency": row.currency,
            }
            for row in rows
        ],
    }


async def imbalance(tx: Tx) -> int:
    """Minor units by which the ledger differs from its orders, as last compared."""
    total: int = (await tx.execute("SELECT COALESCE(sum(off_minor), 0)::bigint FROM ledger_imbalances")).scalar()
    return total
