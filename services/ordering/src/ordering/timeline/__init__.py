"""What became of an order: its facts, its status, and the timeline in words for its buyer."""

from ordering.timeline.actions import StatusKeeper, derive_due
from ordering.timeline.metrics import OrderMetrics
from ordering.timeline.store import ORDER_COLUMNS, find, placed_order, read_states, record, record_earliest
from ordering.timeline.store import derive as derive_statuses
from ordering.timeline.tasks import DeriveStatuses
from ordering.timeline.views import Links, OrderAnswer, OrderView

__all__ = [
    "ORDER_COLUMNS",
    "DeriveStatuses",
    "Links",
    "OrderAnswer",
    "OrderMetrics",
    "OrderView",
    "StatusKeeper",
    "derive_due",
    "derive_statuses",
    "find",
    "placed_order",
    "read_states",
    "record",
    "record_earliest",
]
