"""Values that the clients take and return. Amounts in minor units (tiyn, cents)."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

ReceiptKind = Literal["sale", "sale_return"]

#: PositionType of a service at Webkassa. Its public pages do not list the values, so the settings may name another.
SERVICE = 2
#: resultCodes that say nothing about the payment: our terminal or token is wrong, the bank had an error, or no code.
_NO_ANSWER = frozenset({"", "103", "104", "106", "109"})


@dataclass(slots=True, frozen=True)
class Expected:
    """A payment as we requested it: amount in minor units, terminal as a UUID in lower case.

    `order_number`: None where a task of an earlier release does not say it.
    """

    invoice_id: int
    amount: int
    currency: str
    terminal: str
    order_number: str | None = None


@dataclass(slots=True, frozen=True)
class StatusAnswer:
    """An answer of check-status. Absent and unreadable fields are None; contact and card data are not kept."""

    result: str
    status: str = ""
    transaction_id: str | None = None
    #: None where the bank names none; "" where the name cannot be read, so that it never counts as ours.
    invoice_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    #: `terminal` may be the UUID, or a number with the UUID in `terminalID`: both are kept.
    terminals: frozenset[str] = frozenset()
    reason_code: int = 0
    #: The order that our payment object named; None where the answer has none of our `data`.
    order_number: str | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether the answer is about our request, and not about the payment."""
        return self.result in _NO_ANSWER


@dataclass(slots=True, frozen=True, repr=False)
class Payer:
    """The buyer whose name the payment page shows. Personal data: used in the payment object only."""

    name: str
    email: str
    phone: str
    language: str


@dataclass(slots=True, frozen=True)
class Purchase:
    """What the buyer pays for; the amount in minor units."""

    invoice_id: int
    order_number: str
    buyer_id: str
    plan_title: str
    amount: int
    currency: str


@dataclass(slots=True, frozen=True)
class Tax:
    """The tax that a price contains: VAT of `percent`, or none."""

    percent: Decimal | None = None

    def of(self, amount: int) -> int:
        """The tax contained in an amount, rounded half up."""
        if self.percent is None:
            return 0
        return int((amount * self.percent / (100 + self.percent)).to_integral_value(ROUND_HALF_UP))


@dataclass(slots=True, frozen=True)
class Issued:
    """A receipt that the register has issued. `fiscal_time` is the register's clock, YYYY-MM-DD HH:MM:SS.

    `registration_number` is "" where the answer does not contain the register's.
    """

    check_number: str
    registration_number: str
    fiscal_time: str
    #: "" where the register gave none, because it is offline.
    ticket_url: str
    #: None where the answer contains none.
    total: int | None
    offline: bool = False
    external_number: str = ""


@dataclass(slots=True, frozen=True)
class Wanted:
    """A receipt to be issued. `number` is its ExternalCheckNumber, the key of the effect, at most 50 characters."""

    kind: ReceiptKind
    number: str
    order_number: str
    title: str
    amount: int
    tax: Tax
    #: Of a return: the receipt of the sale that is returned.
    basis: Issued | None = None
    #: Webkassa's PositionType of what is sold.
    position_type: int = SERVICE
    email: str = ""
    phone: str = ""
