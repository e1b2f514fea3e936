"""What storefronts may say: the same order body over HTTP (`POST /orders`) and over Kafka."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from shared.contracts.base import Event, Kind, Language, Slug
from shared.values.iccid import Iccid
from shared.values.text import Line


class Strict(BaseModel):
    """Input from outside: an unknown field is a mistake that the sender should hear about."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Buyer(Strict):
    """Who buys. E-mail and phone are mandatory (PO 3.2); their validity is ordering's to judge."""

    name: Annotated[str, Line(200)]
    email: Annotated[str, Line(320, 3)]
    phone: Annotated[str, Line(32, 5)]
    language: Language = "en"


class OrderRequest(Strict):
    """An order as a shop states it. `device_compatible` is the buyer's confirmation (PO 5.1)."""

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
    """A shop wants this order. `submission_id` is its idempotency key."""

    storefront: Slug
    submission_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    #: Kept as it came: ordering judges it and answers with field-level reasons.
    order: dict[str, object]

    def key(self) -> str:
        return f"{self.storefront}:{self.submission_id}"
