"""Reads lists whose statuses are complete."""

from collections.abc import AsyncIterator
from dataclasses import replace

from ordering.orders.models import Filters, ListedOrder, Place
from ordering.orders.store import find_page
from ordering.timeline import derive_due, derive_statuses
from shared.database import Database

#: Orders that an export reads at once: its memory does not depend on how many there are.
_EXPORTED_AT_ONCE = 500


class StatusesDueError(Exception):
    """The statuses of this shop are still being derived after an update, so orders cannot be found by them yet."""


async def read_page(
    database: Database, storefront: str, filters: Filters, after: Place | None, limit: int
) -> list[ListedOrder]:
    """The newest orders behind `after` that the filters let through, at most `limit`. Raises StatusesDueError."""
    if filters.status is not None and not await derive_due(database, storefront):
        raise StatusesDueError
    async with database.reading() as tx:
        orders = await find_page(tx, storefront, filters, after, limit)
    due = [order.order_id for order in orders if order.status is None]
    if not due:
        return orders
    async with database.transaction("statuses") as tx:
        derived = await derive_statuses(tx, due)
    return [replace(order, status=derived.get(order.order_id, order.status)) for order in orders]


async def read_all(database: Database, storefront: str, filters: Filters) -> AsyncIterator[list[ListedOrder]]:
    """All orders that the filters let through, the newest first, in parts. Raises StatusesDueError.

    No transaction is open between two parts, so a slow reader holds up nothing.
    """
    after: Place | None = None
    while orders := await read_page(database, storefront, filters, after, _EXPORTED_AT_ONCE):
        yield orders
        if len(orders) < _EXPORTED_AT_ONCE:
            return
        after = orders[-1].place
