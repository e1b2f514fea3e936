"""What became of an order: its facts, its status, and the timeline in words for its buyer."""

from ordering.timeline.metrics import OrderMetrics
from ordering.timeline.store import ORDER_COLUMNS, placed_order, read_states, record, record_earliest
from ordering.timeline.views import OrderAnswer

__all__ = [
    "ORDER_COLUMNS",
    "OrderAnswer",
    "OrderMetrics",
    "placed_order",
    "read_states",
    "record",
    "record_earliest",
]
