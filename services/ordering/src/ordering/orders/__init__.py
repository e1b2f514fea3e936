"""Lists of a shop's orders: by filters and page by page, or all of them as CSV."""

from ordering.orders.handlers import HANDLERS
from ordering.orders.rules import Cursors

__all__ = ["HANDLERS", "Cursors"]
