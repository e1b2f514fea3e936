"""SQL: orders by number, id, ICCID or e-mail address, and everything that is stored of one."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from operations.hashes import EmailHashes
from operations.invariants.models import ViolationView
from operations.orders.models import CaseView, EsimView, OrderLine, OrderView, RefundView, Search, TimelineLine
from operations.orders.rules import status
from operations.tables import orders
from shared.database import Tx
from shared.telemetry.trace_links import TraceLinks
from shared.telemetry.tracing import trace_id

MOST_FOUND = 50
_MOST_FACTS = 500
_MOMENTS = tuple(
    column.name for column in orders.columns if column.name.endswith("_at") and not column.name.endswith("known_at")
)
_FIND = """
SELECT o.*, (SELECT count(*) FROM violations v WHERE v.order_id = o.order_id AND v.resolved_at IS NULL) AS open,
  (SELECT max(GREATEST(c.requested_again_at, c.appealed_at)) FROM cases c WHERE c.order_id = o.order_id
    AND (c.denied_at IS NULL OR GREATEST(c.requested_again_at, c.appealed_at) > c.denied_at)) AS refund_open_at
FROM orders o WHERE {condition} ORDER BY o.known_at DESC, o.order_id LIMIT :limit
"""
_BY = {
    "number": "o.order_number = :value",
    "order_id": "o.order_id = :value",
    "iccid": "o.order_id IN (SELECT order_id FROM esims WHERE iccid = :value)",
    "email": "o.buyer_id IN (SELECT buyer_id FROM buyers WHERE email_hash = :value)",
}
_ESIMS = "SELECT iccid, operator, generated_at FROM esims WHERE order_id = :order ORDER BY generated_at, iccid"
_CASES = "SELECT * FROM cases WHERE order_id = :order ORDER BY requested_at, case_id"
_REFUNDS = "SELECT * FROM refunds WHERE order_id = :order ORDER BY approved_at, refund_id"
_VIOLATIONS = "SELECT * FROM violations WHERE order_id = :order ORDER BY first_seen_at DESC, invariant LIMIT 100"
_FACTS = """
SELECT topic, at, told_at, known_at, trace, summary FROM facts WHERE order_id = :order
ORDER BY told_at, at, event_id LIMIT :limit
"""


async def search_orders(tx: Tx, wanted: Search, hashes: EmailHashes) -> list[OrderLine]:
    """The orders that match, the newest first, at most 50."""
    [(field, value)] = wanted.model_dump(exclude_none=True).items()
    if field == "email":
        value = hashes.of_typed(value)
    rows = await tx.execute(_FIND.format(condition=_BY[field]), value=value, limit=MOST_FOUND)
    return [OrderLine(**_line(row)) for row in rows]


async def find_order(tx: Tx, order_id: UUID, trace_links: TraceLinks) -> OrderView | None:
    """Everything that is stored of an order; None for an unknown one."""
    row = (await tx.execute(_FIND.format(condition=_BY["order_id"]), value=order_id, limit=1)).one_or_none()
    if row is None:
        return None
    timeline = [
        _timeline_line(fact, trace_links) for fact in await tx.execute(_FACTS, order=order_id, limit=_MOST_FACTS)
    ]
    traced = next((line for line in timeline if line.trace_id), None)
    moments = {name: at for name in _MOMENTS if (at := getattr(row, name)) is not None}
    return OrderView(
        **_line(row),
        price_minor=row.price_minor,
        paid_minor=row.paid_minor,
        currency=row.currency,
        moments=dict(sorted(moments.items(), key=lambda item: item[1])),
        trace_id=traced.trace_id if traced else None,
        trace_url=traced.trace_url if traced else None,
        esims=await _all(tx, EsimView, _ESIMS, order_id),
        cases=await _all(tx, CaseView, _CASES, order_id),
        refunds=await _all(tx, RefundView, _REFUNDS, order_id),
        violations=await _all(tx, ViolationView, _VIOLATIONS, order_id),
        timeline=timeline,
    )


async def _all(tx: Tx, view: type[Any], sql: str, order_id: UUID) -> list[Any]:
    rows: Sequence[dict[str, Any]] = (await tx.execute(sql, order=order_id)).mappings()
    return [view.model_validate(row) for row in rows]


def _line(row: Any) -> dict[str, Any]:
    return {
        "order_id": row.order_id,
        "order_number": row.order_number,
        "storefront": row.storefront,
        "kind": row.kind,
        "plan": row.plan,
        "status": status(row._asdict()),
        "placed_at": row.placed_at,
        "paid_at": row.paid_at,
        "open_violations": row.open,
    }


def _timeline_line(fact: Any, trace_links: TraceLinks) -> TimelineLine:
    return TimelineLine(
        at=fact.at,
        topic=fact.topic,
        summary=fact.summary,
        told_at=fact.told_at,
        known_at=fact.known_at,
        trace_id=trace_id(fact.trace),
        trace_url=trace_links.of(fact.trace),
    )
