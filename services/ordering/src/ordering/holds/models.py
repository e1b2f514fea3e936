"""Values of fraud control."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

Decision = Literal["released", "refused"]


class Limits(BaseModel):
    """The highest usual counts within 24 hours. A rule of the same name is broken above its limit."""

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


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of the last 24 hours, this order included; 0 where there is nothing to count by (no public address)."""

    orders_by_email: int = 0
    orders_by_phone: int = 0
    orders_by_ip: int = 0
    emails_by_phone: int = 0
    emails_by_ip: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new order as fraud control sees it. `mailbox_key` is the same for all spellings of one address."""

    order_id: UUID
    number: int
    storefront: str
    buyer_id: UUID
    mailbox_key: str
    phone: str
    public_ip: str | None
    trace: str | None


@dataclass(frozen=True, slots=True)
class HeldOrder:
    """A held order that no agent has decided yet."""

    order_id: UUID
    number: int
    storefront: str
    rules: tuple[str, ...]
    held_at: datetime
