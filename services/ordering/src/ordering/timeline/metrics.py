"""Metrics of orders on `/metrics`: the time from payment to delivery, and recent orders by status."""

from collections.abc import Sequence
from datetime import timedelta

from prometheus_client import CollectorRegistry, Gauge, Histogram

from ordering.timeline.models import Status
from ordering.timeline.rules.status import status
from shared.contracts import QrDelivered
from shared.database import Tx
from shared.ids import uuid7_floor
from shared.messaging.consumer import Received

_RECENT = timedelta(hours=1)
_MAX_ORDERS = 5000
#: An order's id is a UUIDv7, so the primary key is sorted by time. The result has one row per set of facts.
_COUNT_RECENT = """
WITH recent AS (SELECT order_id FROM orders WHERE order_id >= :since ORDER BY order_id DESC LIMIT :max_orders),
by_order AS (
  SELECT array_agg(DISTINCT f.fact) FILTER (WHERE f.fact IS NOT NULL) AS facts
  FROM recent r LEFT JOIN order_facts f USING (order_id) GROUP BY r.order_id)
SELECT facts, count(*) AS orders FROM by_order GROUP BY facts
"""


class OrderMetrics:
    """Registers the metrics with the service's registry and updates them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._delivery = Histogram(
            "order_delivery_seconds",
            "Seconds from payment to delivery of the QR code",
            ["storefront"],
            registry=registry,
            buckets=(0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 900, 3600),
        )
        self._recent_orders = Gauge(
            "orders_recent",
            "Orders of the last hour (the newest 5000 of them) by status",
            ["status"],
            registry=registry,
        )

    async def qr_delivered(self, _tx: Tx, batch: Sequence[Received[QrDelivered]]) -> None:
        """Observe the time from payment to delivery; the event has both times."""
        for received in batch:
            event = received.event
            seconds = (event.delivered_at - event.paid_at).total_seconds()
            self._delivery.labels(event.storefront).observe(max(0.0, seconds))

    async def count_recent_orders(self, tx: Tx) -> None:
        """Count recent orders by status. A status without orders is shown as zero."""
        rows = await tx.execute(_COUNT_RECENT, since=uuid7_floor(tx.now - _RECENT), max_orders=_MAX_ORDERS)
        counts = dict.fromkeys(Status, 0)
        for row in rows:
            counts[status(row.facts or ())] += row.orders
        for order_status, count in counts.items():
            self._recent_orders.labels(order_status).set(count)
