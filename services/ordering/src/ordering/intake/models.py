"""Values of an order on its way in: as submitted, as validated, as inserted, and why it is refused."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.holds.models import subjects_of
from ordering.timeline.models import PlacedOrder
from shared.contracts import Company, FieldError, Money, OrderRequest, Plan
from shared.values.client_address import ClientAddress
from shared.values.email_address import Email
from shared.values.phone import Phone

INVALID = "invalid-order"
OUTDATED = "outdated-documents"
UNKNOWN_ESIM = "unknown-esim"
ENDED_ESIM = "ended-esim"
UNSUITABLE_PLAN = "unsuitable-plan"
UNKNOWN_STOREFRONT = "unknown-storefront"
BAD_KEY = "invalid-idempotency-key"
KEY_REUSED = "idempotency-key-reused"
TOO_MANY_ORDERS = "too-many-orders"
#: In place of a body's hash: the order is known from its event only (`recovery`), so any body is taken for its own.
UNKNOWN_BODY = b"unknown"

_DETAILS = {
    INVALID: "The order cannot be accepted; see errors.",
    OUTDATED: "The buyer accepted documents that are not the current ones; show the current ones and ask again.",
    UNKNOWN_ESIM: "This shop has sold no eSIM with this ICCID (or it is not ready yet), so it cannot be topped up.",
    ENDED_ESIM: "This eSIM has ended for good and cannot be topped up; order a new eSIM.",
    UNSUITABLE_PLAN: "A top-up has the coverage of the eSIM's own plan; choose such a plan.",
    UNKNOWN_STOREFRONT: "No such storefront is in the catalogue.",
    BAD_KEY: "An idempotency key has 1 to 100 printable ASCII characters.",
    KEY_REUSED: "This idempotency key was used for another order; take a new key for a new order.",
    TOO_MANY_ORDERS: "Too many orders of this buyer or network wait for payment; let them be paid, or try tomorrow.",
}


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """Technical data of the checkout, as far as the shop sent it (PP 3.3)."""

    address: ClientAddress | None = None
    user_agent: str | None = None
    referrer: str | None = None

    @property
    def public_address(self) -> ClientAddress | None:
        """The address if it is a public one. A private address is a proxy's and does not identify a network."""
        return self.address if self.address is not None and self.address.is_public else None


#: The shop sent nothing, as over Kafka.
NO_SESSION = CheckoutSession()


@dataclass(frozen=True, slots=True)
class Submission:
    """An order as it arrived. `order` is a JSON value that is not validated yet; `key` is the idempotency key."""

    storefront: str
    key: str
    order: object
    trace: str | None
    session: CheckoutSession = NO_SESSION
    #: It came with a key for tests.
    test: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order is not accepted: a stable reason code, and the fields that are wrong."""

    reason: str
    errors: tuple[FieldError, ...] = ()

    @property
    def detail(self) -> str:
        """One sentence for the sender of the order."""
        return _DETAILS[self.reason]


@dataclass(frozen=True, slots=True)
class ValidOrder:
    """An order that can be accepted: plan and price looked up, e-mail and phone in normal form."""

    request: OrderRequest
    plan: Plan
    price: Money
    email: Email
    phone: Phone
    company: Company | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission and what can be said of it without the database. `body_hash` recognises a repetition."""

    submission: Submission
    body_hash: bytes
    result: ValidOrder | Refusal

    @property
    def subjects(self) -> frozenset[str]:
        """What other orders of a buyer share with it: its idempotency key, and what fraud control counts by."""
        own = self.submission
        key = f"key {own.storefront} {own.key}"
        if isinstance(self.result, Refusal):
            return frozenset({key})
        email, phone = self.result.email.key, self.result.phone.e164
        return frozenset({key, *subjects_of(own.storefront, email, phone, own.session.public_address)})


@dataclass(slots=True)
class NewOrder:
    """A valid order with the ids that it is inserted under. `number` is 0 until the database has assigned it."""

    storefront: str
    submission_id: str
    body_hash: bytes
    valid: ValidOrder
    session: CheckoutSession
    trace: str | None
    order_id: UUID
    buyer_id: UUID
    test: bool
    number: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order that a submission stands for; `replayed` if it was accepted before."""

    placed: PlacedOrder
    replayed: bool


@dataclass(frozen=True, slots=True)
class SoldEsim:
    """An eSIM that was sold, and when it ended (UTC), as far as that was reported."""

    storefront: str
    plan: Plan
    revoked_at: datetime | None = None
    expired_at: datetime | None = None
    deleted_at: datetime | None = None
