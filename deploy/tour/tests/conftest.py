from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tour.orders import Buyer, Money, Order, Paid, Shop

Sell = Callable[[int], Paid]


@pytest.fixture
def sell() -> Sell:
    """An order that was paid, by its number."""

    def sold(number: int) -> Paid:
        buyer = Buyer("Dana", f"dana.{number}@example.org", "+77017654321", "en")
        shop = Shop("esimka", "eSIMka", {"offer": "o", "privacy": "p"}, ("ge-5gb-30d",))
        order = Order(f"id-{number}", f"{number}", shop, "Georgia 5 GB, 30 days", Money(750, "USD"), buyer)
        return Paid(order, f"9{number}", datetime(2026, 1, 1, tzinfo=UTC))

    return sold
