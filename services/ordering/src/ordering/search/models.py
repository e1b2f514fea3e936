"""What an agent typed, as the values that orders are found by, and the orders that were found."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from ordering.timeline.models import Reference
from shared.contracts import Company, Money
from shared.values import company, iccid
from shared.values.company import CompanyCountry
from shared.values.email_address import Email
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError
from shared.values.text import Line

#: An answer has the newest orders that were found, at most so many.
MOST_FOUND = 50
_LETTERS = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Every reading of one text. A name is looked for only where the text has no other reading."""

    reference: Reference
    iccid: str | None
    mailbox: str | None = field(repr=False)
    phones: tuple[str, ...] = field(repr=False)
    names: tuple[str, ...] = field(repr=False)
    #: Numbers of companies, in the form of each country.
    companies: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def read(cls, text: str) -> "Wanted":
        """Read what was typed. A text that can be nothing finds nothing."""
        text = text.strip()
        reference, number = Reference.parse(text), iccid.read(text)
        try:
            mailbox = Email.parse(text).key
        except InvalidValueError:
            mailbox = None
        phones = tuple(phone.e164 for phone in Phone.claimed(text))
        other = any((reference.order_id, reference.number, number, mailbox, phones))
        return cls(reference, number, mailbox, phones, () if other else _spellings(text), _companies(text))

    @property
    def is_nothing(self) -> bool:
        """Whether the text can be neither a number, an id, an ICCID, an address, a phone nor a name."""
        numbers = (self.reference.order_id, self.reference.number, self.iccid, self.companies)
        return not any((*numbers, self.mailbox, self.phones, self.names))


def _companies(text: str) -> tuple[str, ...]:
    """The text as the number of a company, where it is one of some country."""
    found = []
    for country in get_args(CompanyCountry):
        with suppress(InvalidValueError):
            found.append(company.parse(text, country))
    return tuple(found)


def _spellings(text: str) -> tuple[str, ...]:
    """A name in the spellings that are looked for: a database may fold the case of ASCII letters only."""
    if _LETTERS.search(text) is None:
        return ()
    return tuple(sorted({text, text.lower(), text.upper(), text.title()}))


class SearchBody(BaseModel):
    """What to look for. It is sent in a body, because names and addresses belong into no log of URLs."""

    model_config = ConfigDict(extra="forbid")

    text: Annotated[str, Line(254)] = Field(
        repr=False,
        description="an order number, an order id, an ICCID, an e-mail address, a phone, a company's number, or words "
        "of a buyer's or a company's name; whole",
        examples=["+7 701 123 45 67"],
    )


class FoundContact(BaseModel):
    """Whom the order belongs to."""

    name: Annotated[str, Field(examples=["Anna Berg"])]
    email: Annotated[str, Field(examples=["anna@example.org"])]
    phone: Annotated[str, Field(examples=["+77011234567"])]
    language: Annotated[str, Field(examples=["en"])]
    company: Annotated[Company | None, Field(description="the legal person that it was bought for (PO 1)")] = None
    blocked: Annotated[bool, Field(description="stored and not used (PP 6.2)", examples=[False])]
    proved: Annotated[bool, Field(description="somebody has proved to read this mailbox", examples=[True])]


class FoundOrder(BaseModel):
    """An order of any shop. `status` null: not derived yet. `contact` null: the buyer's data were erased."""

    order_id: UUID
    order_number: Annotated[str, Field(examples=["10000017"])]
    storefront: Annotated[str, Field(examples=["esimka"])]
    buyer_id: UUID
    kind: Annotated[str, Field(examples=["esim"])]
    plan_title: Annotated[str, Field(examples=["Türkiye 5 GB"])]
    price: Money
    placed_at: datetime
    status: Annotated[str | None, Field(examples=["delivered"])]
    held: Annotated[bool, Field(description="fraud control waits for an agent's decision (PP 4.5)", examples=[False])]
    contact: FoundContact | None


class FoundOrders(BaseModel):
    """The newest orders that were found. `more`: there are others, so the text has to be more exact."""

    orders: list[FoundOrder]
    more: Annotated[bool, Field(examples=[False])]
