"""Ordering's own figures on `/metrics`: how long a buyer waits, and where the orders of the last hour stand."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram

from ordering.timeline.rules.status import Status, status
from shared.database import Tx
from shared.ids import uuid7_floor
from shared.messaging.consumer import Handler, Received

RECENT = timedelta(hours=1)
_MOST = 5000
#: An order's id is a UUIDv7, so its primary key is in the order of time. Grouped by which facts there are: a few rows.
_RECENT = """
WITH recent AS (SELECT order_id FROM orders WHERE order_id >= :since ORDER BY order_id DESC LIMIT :most),
told AS (
  SELECT array_agg(DISTINCT f.fact) FILTER (WHERE f.fact IS NOT NULL) AS facts
  FROM recent r LEFT JOIN order_facts f USING (order_id) GROUP BY r.order_id)
SELECT facts, count(*) AS orders FROM told GROUP BY facts
"""


class Figures:
    """Registered with the service's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.delivery = Histogram(
            "order_delivery_seconds",
            "From the payment to the delivered code",
            ["storefront"],
            registry=registry,
            buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 900, 3600),
        )
        self.orders = Gauge(
            "orders_recent",
            "Orders of the last hour (the newest 5000 of them) by status",
            ["status"],
            registry=registry,
        )

    def timing(self, handler: Handler) -> Handler:
        """The handler of delivered codes, and the clock: both times are in the fact itself."""

        async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
            await handler(tx, batch)
            for received in batch:
                event = received.event
                seconds = (event.delivered_at - event.paid_at).total_seconds()
                self.delivery.labels(event.storefront).observe(max(0.0, seconds))

        return handle

    async def recent(self, tx: Tx) -> None:
        """Where recent orders stand; a status that no order has stays, at zero."""
        found = await tx.execute(_RECENT, since=uuid7_floor(tx.now - RECENT), most=_MOST)
        counts = dict.fromkeys(Status, 0)
        for row in found:
            counts[status(row.facts or ())] += row.orders
        for one, count in counts.items():
            self.orders.labels(one).set(count)
