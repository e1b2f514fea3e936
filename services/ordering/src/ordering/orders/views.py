"""HTTP answers about lists of orders. They contain no personal data: a shop has its buyers' data itself."""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, Field

from ordering.orders.models import ListedOrder
from ordering.orders.rules import cell
from ordering.timeline import Links
from ordering.timeline.models import Status
from shared.contracts import Kind, Money, Plan

_COLUMNS = (
    "order_number",
    "order_id",
    "submission_id",
    "placed_at",
    "status",
    "kind",
    "plan_id",
    "plan_title",
    "price_minor",
    "currency",
    "iccid",
    "test",
)


class OrderRow(BaseModel):
    """An order in a list."""

    order_id: UUID
    order_number: Annotated[str, Field(examples=["10000017"])]
    submission_id: Annotated[
        str | None, Field(description="the idempotency key that you placed it with", examples=["cart-8312"])
    ]
    kind: Annotated[Kind, Field(examples=["esim"])]
    status: Annotated[Status, Field(examples=["delivered"])]
    placed_at: Annotated[datetime, Field(examples=["2026-11-21T09:30:00Z"])]
    price: Money
    plan: Plan
    iccid: Annotated[str | None, Field(description="of the eSIM, once it is known", examples=["8999999999999999999"])]
    test: Annotated[bool, Field(description="placed with a key for tests (`esim_test_…`)", examples=[False])]
    links: Links

    @classmethod
    def of(cls, order: ListedOrder) -> Self:
        """The row of an order whose status is known."""
        return cls(
            order_id=order.order_id,
            order_number=str(order.number),
            submission_id=order.submission_id,
            kind="top_up" if order.kind == "top_up" else "esim",
            status=Status(order.status or Status.PLACED),
            placed_at=order.placed_at.astimezone(UTC),
            price=Money(amount=order.price, currency=order.currency),
            plan=Plan.model_validate(order.plan),
            iccid=order.iccid,
            test=order.test,
            links=Links(self=f"/orders/{order.order_id}", timeline=f"/orders/{order.order_id}/timeline"),
        )


class OrderList(BaseModel):
    """A page of orders, the newest first. `next_cursor` is null on the last page."""

    orders: list[OrderRow]
    next_cursor: Annotated[
        str | None,
        Field(description="send it as `cursor`, with the same filters", examples=["AQAGNcJ1pM8AAZ3qk1Rkc3q9…"]),
    ]


def csv_lines(orders: Iterable[ListedOrder], *, head: bool) -> bytes:
    """Orders as lines of CSV (RFC 4180, UTF-8), with the column names before them if `head`."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(_COLUMNS)
    for order in orders:
        row = (
            order.number,
            order.order_id,
            order.submission_id,
            order.placed_at.astimezone(UTC).isoformat(),
            order.status,
            order.kind,
            order.plan.get("id"),
            order.plan.get("title"),
            order.price,
            order.currency,
            order.iccid,
            "true" if order.test else "false",
        )
        writer.writerow([cell(value) for value in row])
    return text.getvalue().encode()
