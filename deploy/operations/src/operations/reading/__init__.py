"""What people and scripts may ask: orders, invariants, services. The API and the pages call the same functions.

`Reading` is made once (`operations.app.build`) and has all of them. Nothing here changes anything.
"""

from operations.orders.store import Search
from operations.reading.reader import Reading
from operations.views import (
    InvariantDetail,
    InvariantView,
    OrderLine,
    OrderView,
    Overview,
    RefusedRefunds,
    ServiceView,
)

__all__ = [
    "InvariantDetail",
    "InvariantView",
    "OrderLine",
    "OrderView",
    "Overview",
    "Reading",
    "RefusedRefunds",
    "Search",
    "ServiceView",
]
