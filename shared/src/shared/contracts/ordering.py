"""Facts that ordering owns."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Event, Iccid, Kind, Language, Money, OrderEvent, Plan, Slug, Value
from shared.sealed import Sealed

#: What a buyer confirms with a code.
Purpose = Literal["contact_change", "export", "block", "erase"]


class OrderPlaced(OrderEvent, topic="ordering.order-placed", minor=1):
    """An order was accepted; the offer is not accepted before it is paid (PO 3.3).

    `released_at`: of an order that was held, when a person released it; its time to pay begins then.
    """

    kind: Kind
    iccid: Iccid | None = None
    plan: Plan
    price: Money
    offer_version: str
    privacy_version: str
    placed_at: datetime
    #: The shop's idempotency key, by which it recognises its own submission.
    submission_id: str | None = None
    released_at: datetime | None = None


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


class Company(Value):
    """The legal person that an order was placed for (PO 1). `number`: digits only, valid in its country."""

    name: str
    number: str
    #: ISO 3166. An open set.
    country: str


class BuyerContact(Event, topic="ordering.buyer-contact", minor=2, personal=True):
    """The only place on the log that holds name, e-mail and phone. Compacted; a tombstone erases it (PP 6.2).

    Since 1.1 each order has a buyer id of its own: a contact is one order's, and no other order changes it (I14).
    Buyers of earlier orders keep the id that several orders share.
    """

    buyer_id: UUID
    storefront: Slug
    name: str
    email: str
    phone: str
    language: Language
    #: Consent of a buyer from before version 1.1. Since then false: see `newsletter_asked`.
    newsletter: bool
    updated_at: datetime
    #: The mailbox's owner requested that these data are stored and not used (PP 6.2), until it lifts that.
    blocked: bool = False
    #: The order requested newsletters. No consent by itself: the reader of the mailbox has to confirm it.
    newsletter_asked: bool = False
    #: None: a private person, or an earlier release.
    company: Company | None = None

    def key(self) -> str:
        return str(self.buyer_id)


class OrderHeld(OrderEvent, topic="ordering.order-held"):
    """Fraud control (PP 4.5) holds the order before it can be paid, until an agent decides."""

    #: Names of the rules that matched.
    rules: tuple[str, ...]
    held_at: datetime


class OrderReleased(OrderEvent, topic="ordering.order-released"):
    """An agent released a held order: it can be paid."""

    released_at: datetime


class OrderRefused(OrderEvent, topic="ordering.order-refused"):
    """An agent refused a held order: it cannot be paid."""

    refused_at: datetime


class ConfirmationRequested(OrderEvent, topic="ordering.confirmation-requested", minor=1):
    """A code is to be sent to the buyer, who confirms a request with it (PP 6.1, 6.2)."""

    confirmation_id: UUID
    purpose: Purpose
    channel: Literal["sms", "email"]
    #: Six digits, sealed to notifications.
    code: Sealed
    expires_at: datetime
    requested_at: datetime
    #: With the purpose `block`: the block is to be lifted.
    lifts: bool = False


class BuyerErasureRequested(Event, topic="ordering.buyer-erasure-requested"):
    """A buyer's data are to be erased (PP 6.2). Every service deletes them and confirms it: `<service>.buyer-erased`.

    The tombstone on `ordering.buyer-contact` follows in the same transaction, for those who keep contacts.
    """

    buyer_id: UUID
    storefront: Slug
    request_id: UUID
    requested_at: datetime

    def key(self) -> str:
        return str(self.buyer_id)


class ApiKeyChanged(Event, topic="ordering.api-key"):
    """An API key of a shop was created or revoked: its whole state, without the key itself. Compacted.

    Services that shops call check keys against what they stored of this.
    """

    key_id: UUID
    storefront: Slug
    #: SHA-256 of the key, hexadecimal. A key holds 32 random bytes, so nobody finds it from its hash.
    hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    #: `orders:write`, `orders:read`, `refunds`. An open set: a reader knows the scopes that its own requests need.
    scopes: tuple[str, ...]
    created_at: datetime
    #: Refused from then on; null: never.
    expires_at: datetime | None = None
    #: Refused since then, for good; null: not revoked.
    revoked_at: datetime | None = None

    def key(self) -> str:
        return str(self.key_id)


class WebhookEndpointDisabled(Event, topic="ordering.webhook-endpoint-disabled"):
    """No more webhooks are sent to an endpoint of a shop, until the shop enables it. The shop is to be informed.

    It names no URL, which may contain a secret: `description` is the shop's own name for the endpoint.
    """

    endpoint_id: UUID
    storefront: Slug
    description: str
    #: It answered 410, or it failed for three days.
    reason: Literal["gone", "failing"]
    failing_since: datetime | None = None
    #: Deliveries that waited when it was disabled; updates of the last 30 days can be delivered again.
    stopped: int = Field(ge=0)
    disabled_at: datetime

    def key(self) -> str:
        return str(self.endpoint_id)
