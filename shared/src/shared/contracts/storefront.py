"""What storefronts may send: the same order body over HTTP (`POST /orders`) and over Kafka."""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.base import EVENTS, Event, Kind, Language, Slug
from shared.contracts.ordering import Company
from shared.values.company import CompanyCountry, parse
from shared.values.iccid import Iccid
from shared.values.text import Line


class Strict(BaseModel):
    """Input from outside: an unknown field is refused, so that the sender learns of the mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BuyerCompany(Strict):
    """The legal person that buys (PO 1). `number`: BIN or IIN (KZ), identification code (GE); ordering checks it."""

    name: Annotated[str, Line(200)]
    number: Annotated[str, Line(40)]
    country: CompanyCountry

    def checked(self) -> Company:
        """With the number in normal form. Raises InvalidValueError."""
        return Company(name=self.name, number=parse(self.number, self.country), country=self.country)


class Buyer(Strict):
    """The buyer. E-mail and phone are mandatory (PO 3.2); ordering checks their validity.

    Who buys for a company names it in `company`; the other fields are then those of the person who orders.
    """

    name: Annotated[str, Line(200)]
    email: Annotated[str, Line(320, 3)]
    phone: Annotated[str, Line(32, 5)]
    language: Language = "en"
    company: BuyerCompany | None = None


class OrderRequest(Strict):
    """An order as a shop submits it. `device_compatible` is the buyer's confirmation (PO 5.1)."""

    plan: Slug
    kind: Kind = "esim"
    iccid: Iccid | None = None
    buyer: Buyer
    device_compatible: Literal[True] = Field(
        description="the buyer confirmed that the device supports eSIM and is not SIM-locked"
    )
    offer_version: Annotated[str, Line(40)]
    privacy_version: Annotated[str, Line(40)]
    newsletter: bool = False


class OrderSubmitted(Event, topic="storefront.order-submitted", personal=True):
    """A shop submits an order. `submission_id` is its idempotency key.

    Each shop submits on a topic of its own, `storefront.<shop>.orders`, which its user alone may write. The topic named
    after this class was shared by all shops; it is read for one more release (deploy/access/README.md).
    """

    #: Checked on the shared topic only. On a shop's own topic the topic decides, whatever this field says.
    storefront: Slug
    submission_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    #: Stored unchanged: ordering checks it and answers with field-level reasons.
    order: dict[str, object]

    def key(self) -> str:
        return f"{self.storefront}:{self.submission_id}"


_ORDERS = re.compile(r"storefront\.([a-z0-9]+(?:-[a-z0-9]+)*)\.orders")


def orders_topic(shop: str) -> str:
    """The topic on which this shop submits its orders."""
    return f"storefront.{shop}.orders"


def updates_topic(shop: str) -> str:
    """The topic on which this shop hears what became of its orders."""
    return f"storefront.{shop}.updates"


@dataclass(frozen=True, slots=True)
class ShopUpdate:
    """What a shop hears about one of its orders, as a record of its own topic, which ordering alone writes.

    `value` is the body of the webhook with the same id, as JSON (services/ordering/interfaces/updates). `subject`: the
    order's id, or the submission that was refused; it is the record's key.
    """

    shop: str
    type: str
    subject: str
    occurred_at: datetime
    value: bytes

    @property
    def topic(self) -> str:
        return updates_topic(self.shop)

    def ce_type(self) -> str:
        """The CloudEvents type: `order.paid`."""
        return self.type

    def schema_id(self) -> str:
        """The `$id` of the JSON Schema of the body."""
        return f"urn:esim:update:{self.type}:1"

    def owner(self) -> str:
        return "ordering"

    def key(self) -> str:
        return self.subject


@lru_cache(maxsize=4096)
def shop_of(topic: str) -> str | None:
    """The only shop that may write this topic; None where the topic belongs to no shop."""
    match = _ORDERS.fullmatch(topic)
    return match[1] if match else None


def contract(topic: str) -> type[Event] | None:
    """The class of the facts on this topic; None where there is no contract for it."""
    return OrderSubmitted if shop_of(topic) is not None else EVENTS.get(topic)


def topic_for(event: Event) -> str:
    """The topic that this event is sent on: the shop's own one for an order that a shop submits."""
    return orders_topic(event.storefront) if isinstance(event, OrderSubmitted) else event.topic
