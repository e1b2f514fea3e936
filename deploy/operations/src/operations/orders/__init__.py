"""Orders: the search, and everything that is stored of one."""

from operations.orders.store import find_order, search_orders
from operations.orders.timeline import with_spans

__all__ = ["find_order", "search_orders", "with_spans"]
