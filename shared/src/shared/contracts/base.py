"""The base of every event: a frozen fact, its topic, and the version of its contract.

A contract's version is `major.minor`. The major one is part of the CloudEvents type (`payments.order-paid.v1`): a
change that old readers or old writers cannot handle makes another type. The minor one counts additions (`minor=1` where
the class is defined); it is written to `dataschema`, and no reader checks it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Protocol, TypedDict
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.values.iccid import Iccid as Iccid  # noqa: PLC0414 - part of the contracts

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
#: Numeric, because Epay wants 6-15 digits (docs/wire/epay.md).
OrderNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{6,15}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
#: How a person pays a refund that the bank refused. An open set: readers show other values as "another way".
PayoutWay = Annotated[str, StringConstraints(pattern=r"^[a-z]+(_[a-z]+)*$", max_length=40)]
Language = Literal["en", "ru", "kk", "ka"]
#: What is read instead where a text exists in English and Russian only: texts stored by earlier releases.
NEAREST: Mapping[Language, Language] = {"kk": "ru", "ka": "en"}
Kind = Literal["esim", "top_up"]


class Value(BaseModel):
    """An immutable value inside events. Unknown fields are ignored, so newer writers do not break older readers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Money(Value):
    """An amount in minor units (tiyn, cents) of an ISO 4217 currency."""

    amount: int = Field(ge=0)
    currency: Currency


class Plan(Value):
    """A data package as sold: what the buyer gets and which operator profile carries it."""

    id: Slug
    title: str
    coverage: tuple[str, ...]
    data_mb: int = Field(gt=0)
    validity_days: int = Field(gt=0)
    profile_type: str


#: Every event class by its topic; one topic carries one kind of fact.
EVENTS: dict[str, type["Event"]] = {}


class Event(Value):
    """A fact in the past tense, owned by the service whose name starts its topic."""

    topic: ClassVar[str]
    version: ClassVar[int]
    minor: ClassVar[int]
    #: True where the body holds personal data: it is compacted, erased by tombstone, and sealed in dead letters.
    personal: ClassVar[bool]

    def __init_subclass__(
        cls, *, topic: str = "", version: int = 1, minor: int = 0, personal: bool = False, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if topic:
            cls.topic, cls.version, cls.minor, cls.personal = topic, version, minor, personal
            EVENTS[topic] = cls

    @classmethod
    def ce_type(cls) -> str:
        """The CloudEvents type: the topic and the major version, `payments.order-paid.v1`."""
        return f"{cls.topic}.v{cls.version}"

    @classmethod
    def schema_id(cls) -> str:
        """The CloudEvents `dataschema`, and the `$id` of the JSON Schema: `urn:esim:event:payments.order-paid:1.0`."""
        return f"urn:esim:event:{cls.topic}:{cls.version}.{cls.minor}"

    @classmethod
    def owner(cls) -> str:
        return cls.topic.partition(".")[0]

    def key(self) -> str:
        """The Kafka key: all facts of one subject share a partition."""
        raise NotImplementedError  # abstract: each kind of event has its own


@dataclass(frozen=True, slots=True)
class Erasure:
    """The end of a key on a compacted topic: a record without a body (a Kafka tombstone), written by the owner."""

    event_class: type[Event]
    subject: str

    @property
    def topic(self) -> str:
        return self.event_class.topic

    def ce_type(self) -> str:
        return self.event_class.ce_type()

    def schema_id(self) -> str:
        return self.event_class.schema_id()

    def owner(self) -> str:
        return self.event_class.owner()

    def key(self) -> str:
        return self.subject


class OrderFields(TypedDict):
    """The fields that every event about an order has."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID


class _OfOrder(Protocol):
    """Anything that says which order it is about: an event, a row, a profile."""

    @property
    def order_id(self) -> UUID: ...
    @property
    def order_number(self) -> str: ...
    @property
    def storefront(self) -> str: ...
    @property
    def buyer_id(self) -> UUID: ...


def order_fields(source: _OfOrder) -> OrderFields:
    """The fields that every event about the order of this event, row or profile has."""
    return {
        "order_id": source.order_id,
        "order_number": source.order_number,
        "storefront": source.storefront,
        "buyer_id": source.buyer_id,
    }


class OrderEvent(Event):
    """A fact about one order. It carries ids only; the buyer's data travel on `ordering.buyer-contact`."""

    order_id: UUID
    order_number: OrderNumber
    storefront: Slug
    buyer_id: UUID

    def key(self) -> str:
        return str(self.order_id)


class BuyerErased(Event):
    """The service holds no more data of that buyer, except what the law requires it to keep (PP 6.2).

    Each service has its own: `<service>.buyer-erased`, keyed by buyer id.
    """

    buyer_id: UUID
    #: The request that was carried out.
    request_id: UUID | None = None
    #: What was kept and why, without personal data: `ledger entries: tax law`.
    kept: tuple[str, ...] = ()
    erased_at: datetime

    def key(self) -> str:
        return str(self.buyer_id)
