"""The entry to an order's account page without a signed link: ordering links it, notifications serves it.

Its address is no secret and opens nothing (I14): the page has a signed link sent to the order's mailbox.
"""

from uuid import UUID

#: Under PUBLIC_URL of notifications; FastAPI's form of a path.
ENTRY_PATH = "/account/orders/{storefront}/{order_id}"


def entry_path(storefront: str, order_id: UUID) -> str:
    """The path for one order."""
    return ENTRY_PATH.format(storefront=storefront, order_id=order_id)
