"""Orders: found by what a person has in hand, and told with everything that is known."""

from collections.abc import Sequence
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from operations.hashes import EmailHashes
from operations.orders.rules import status
from operations.tables import orders
from operations.views import (
    CaseView,
    EsimView,
    OrderLine,
    OrderView,
    RefundView,
    TimelineLine,
    ViolationView,
)
from shared.contracts.base import OrderNumber
from shared.database import Tx
from shared.telemetry.trace_links import TraceLinks
from shared.telemetry.tracing import trace_id
from shared.values.iccid import Iccid
from shared.values.text import Line

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


class Search(BaseModel):
    """What to look for: exactly one of these. The e-mail address is hashed on arrival, and not kept."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    number: OrderNumber | None = None
    order_id: UUID | None = None
    iccid: Iccid | None = None
    email: Annotated[str, Line(254, 3)] | None = Field(None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("name exactly one of number, order_id, iccid, email")
        return self

    @field_validator("email")
    @classmethod
    def _has_two_parts(cls, value: str | None) -> str | None:
        """Of what was never an address nobody needs to be told that no order was found."""
        if value is not None and not all(value.rpartition("@")[::2]):
            raise ValueError("is not an e-mail address")
        return value


async def search(tx: Tx, wanted: Search, hashes: EmailHashes) -> list[OrderLine]:
    """The orders that match, the newest first, at most 50."""
    [(field, value)] = wanted.model_dump(exclude_none=True).items()
    if field == "email":
        value = hashes.of_typed(value)
    found = await tx.execute(_FIND.format(condition=_BY[field]), value=value, limit=MOST_FOUND)
    return [OrderLine(**_line(row)) for row in found]


async def order(tx: Tx, order_id: UUID, trace_links: TraceLinks) -> OrderView | None:
    """Everything that is known of an order; None where nothing is."""
    row = (await tx.execute(_FIND.format(condition=_BY["order_id"]), value=order_id, limit=1)).one_or_none()
    if row is None:
        return None
    timeline = [_told(fact, trace_links) for fact in await tx.execute(_FACTS, order=order_id, limit=_MOST_FACTS)]
    begun = next((line for line in timeline if line.trace_id), None)
    moments = {name: at for name in _MOMENTS if (at := getattr(row, name)) is not None}
    return OrderView(
        **_line(row),
        price_minor=row.price_minor,
        paid_minor=row.paid_minor,
        currency=row.currency,
        moments=dict(sorted(moments.items(), key=lambda item: item[1])),
        trace_id=begun.trace_id if begun else None,
        trace_url=begun.trace_url if begun else None,
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


def _told(fact: Any, trace_links: TraceLinks) -> TimelineLine:
    return TimelineLine(
        at=fact.at,
        topic=fact.topic,
        summary=fact.summary,
        told_at=fact.told_at,
        known_at=fact.known_at,
        trace_id=trace_id(fact.trace),
        trace_url=trace_links.of(fact.trace),
    )
