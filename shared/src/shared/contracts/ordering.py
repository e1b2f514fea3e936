"""Facts that ordering owns."""

from datetime import datetime
from uuid import UUID

from shared.contracts.base import Event, Iccid, Kind, Language, Money, OrderEvent, Plan, Slug, Value


class OrderPlaced(OrderEvent, topic="ordering.order-placed"):
    """An order was accepted; the offer is not accepted before it is paid (PO 3.3)."""

    kind: Kind
    iccid: Iccid | None = None
    plan: Plan
    price: Money
    offer_version: str
    privacy_version: str
    placed_at: datetime
    #: The shop's idempotency key, by which it recognises its own submission.
    submission_id: str | None = None


class FieldError(Value):
    """One reason for a refusal: the field (dotted path) and what is wrong with it, without its value."""

    field: str
    message: str


class OrderRejected(Event, topic="ordering.order-rejected"):
    """A submission over Kafka was refused, and why."""

    storefront: Slug
    submission_id: str
    reason: str
    errors: tuple[FieldError, ...] = ()
    rejected_at: datetime

    def key(self) -> str:
        return f"{self.storefront}:{self.submission_id}"


class BuyerContact(Event, topic="ordering.buyer-contact", personal=True):
    """The only place on the log that holds name, e-mail and phone. Compacted; a tombstone erases it (PP 6.2)."""

    buyer_id: UUID
    storefront: Slug
    name: str
    email: str
    phone: str
    language: Language
    newsletter: bool
    updated_at: datetime

    def key(self) -> str:
        return str(self.buyer_id)
