"""Values of fraud control."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from shared.values.client_address import ClientAddress

Decision = Literal["released", "refused"]


class Limits(BaseModel):
    """The highest usual counts within 24 hours. A rule of the same name (`Counts`) is broken above its limit.

    An IP address stands for its network: an IPv4 address itself, of an IPv6 address the /64.
    """

    #: Orders from one e-mail address.
    orders_by_email: int = Field(20, ge=1)
    #: Orders under one phone number.
    orders_by_phone: int = Field(20, ge=1)
    #: Orders from one public IP address.
    orders_by_ip: int = Field(40, ge=1)
    #: E-mail addresses under one phone number.
    emails_by_phone: int = Field(5, ge=1)
    #: E-mail addresses from one public IP address.
    emails_by_ip: int = Field(20, ge=1)

    #: Orders that would be held are refused beyond so many unpaid ones, because each order keeps rows for ever, and a
    #: held one sends an email: 10 such emails a day to one mailbox, if the limits above are the defaults.
    unpaid_by_email: int = Field(30, ge=1)
    unpaid_by_phone: int = Field(30, ge=1)
    #: Mobile operators put hundreds of buyers behind one IPv4 address.
    unpaid_by_ip: int = Field(120, ge=1)


#: The limits of a storefront, by its slug.
LimitsOf = Callable[[str], Limits]


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the last 24 hours, this order included; 0 where there is nothing to count by (no public address)."""

    orders_by_email: int = 0
    orders_by_phone: int = 0
    orders_by_ip: int = 0
    emails_by_phone: int = 0
    emails_by_ip: int = 0


def subjects_of(storefront: str, mailbox_key: str, phone: str, address: ClientAddress | None) -> tuple[str, ...]:
    """What the limits count by. `address`: the public one of the checkout, if the shop sent one."""
    network = () if address is None else (f"network {address.household}",)
    return (f"mailbox {storefront} {mailbox_key}", f"phone {phone}", *network)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new order as fraud control sees it. `mailbox_key` is the same for all spellings of one address."""

    order_id: UUID
    number: int
    storefront: str
    buyer_id: UUID
    mailbox_key: str
    phone: str
    #: The public address of the checkout, if the shop sent one.
    address: ClientAddress | None
    trace: str | None

    @property
    def network(self) -> str | None:
        """The network that the address stands for."""
        return None if self.address is None else self.address.household

    @property
    def subjects(self) -> tuple[str, ...]:
        """What the limits count by; to serialise orders that are counted together."""
        return subjects_of(self.storefront, self.mailbox_key, self.phone, self.address)


@dataclass(frozen=True, slots=True)
class Unpaid:
    """Unpaid orders of the last 24 hours of one mailbox, phone and network. `owner`: see `store._SCREENED`."""

    by_email: int = 0
    by_phone: int = 0
    by_ip: int = 0
    owner: bool = False


@dataclass(frozen=True, slots=True)
class Screened:
    """Which new orders wait for an agent, and which are refused: by order, the limit that was reached."""

    held: frozenset[UUID] = frozenset()
    refused: Mapping[UUID, str] = field(default_factory=dict)


class Hold(BaseModel):
    """That an order was held, why in words, and what an agent decided; without a decision it waits for one."""

    held_at: datetime
    rules: tuple[str, ...]
    reasons: list[str]
    decision: Decision | None
    decided_at: datetime | None
    decided_by: str | None


@dataclass(frozen=True, slots=True)
class HeldOrder:
    """A held order that no agent has decided yet."""

    order_id: UUID
    number: int
    storefront: str
    rules: tuple[str, ...]
    held_at: datetime
