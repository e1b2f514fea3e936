"""What the tour buys: shops, buyers, orders. Amounts are minor units (tiyn, cents), as everywhere."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

_MINOR_PER_MAJOR = 100


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units."""

    amount: int
    currency: str

    def __str__(self) -> str:
        """`1,990.00 KZT`."""
        return f"{self.amount / _MINOR_PER_MAJOR:,.2f} {self.currency}"


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody who exists for one order: the address tells whose mail it is."""

    name: str
    email: str
    phone: str
    language: str


@dataclass(frozen=True, slots=True)
class Shop:
    """A storefront as it describes itself (`GET /storefront`)."""

    slug: str
    name: str
    documents: dict[str, str]
    plans: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """An accepted order."""

    id: str
    number: str
    shop: Shop
    plan: str
    price: Money
    buyer: Buyer


@dataclass(frozen=True, slots=True)
class Page:
    """An order whose buyer stands before the bank's page; `object` is what halyk.pay() gets."""

    order: Order
    object: dict[str, Any]

    @property
    def invoice_id(self) -> str:
        """The bank's number of this attempt to pay."""
        return str(self.object["invoiceId"])


@dataclass(frozen=True, slots=True)
class Paid:
    """An order that the buyer has paid; `at` is the moment of pressing “pay”."""

    order: Order
    invoice_id: str
    at: datetime
