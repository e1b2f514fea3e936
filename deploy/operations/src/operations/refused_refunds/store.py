"""SQL: refunds that the bank refused and that wait for a person."""

from operations.refused_refunds.models import RefusedRefunds, RefusedRefundView
from shared.database import Tx

_MOST = 200
#: A refund that was retried after its last refusal is under way; one that was paid by hand in full is settled.
#: A refund is listed although its order or approval is unknown. The remaining amount only falls: the least is the last.
_REFUSED = """
SELECT r.refund_id, r.case_id, r.charge_id, r.order_id, o.order_number, o.storefront,
  LEAST(r.left_minor, refusal.left_minor, r.approved_minor) AS left_minor, r.currency, r.failed_at, r.pay_by,
  refusal.reason, count(*) OVER () AS total
FROM refunds r LEFT JOIN orders o USING (order_id)
LEFT JOIN LATERAL (
  SELECT f.summary->>'reason' AS reason,
    CAST(COALESCE(f.summary->'left'->>'amount', f.summary->'amount'->>'amount') AS bigint) AS left_minor
  FROM facts f
  WHERE f.order_id = r.order_id AND f.topic = 'payments.refund-failed'
    AND f.summary->>'refund_id' = CAST(r.refund_id AS text)
  ORDER BY f.at DESC LIMIT 1) refusal ON true
WHERE r.failed_at IS NOT NULL AND r.settled_at IS NULL AND (r.retried_at IS NULL OR r.retried_at <= r.failed_at)
ORDER BY r.failed_at, r.refund_id LIMIT :most
"""


async def refused(tx: Tx) -> RefusedRefunds:
    """Refunds that a person must retry or pay another way."""
    rows = (await tx.execute(_REFUSED, most=_MOST)).mappings()
    total = rows[0]["total"] if rows else 0
    return RefusedRefunds(total=total, items=[RefusedRefundView.model_validate(row) for row in rows])
