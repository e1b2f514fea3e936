"""What is sent and answered. Amounts are integers in minor units (tiyn, cents), times are UTC with their offset.

What comes from the service (`Answered`) keeps fields that this version does not know, as attributes and in
`model_extra`, and open sets of names (statuses, facts, reasons) are plain text: a newer service does not break an older
shop. What a shop sends (`Sent`) is strict, so that a misspelt field is an error at once.
"""

from datetime import date, datetime
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "ru", "kk", "ka"]
Kind = Literal["esim", "top_up"]


class Answered(BaseModel):
    """A value from the service."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Sent(BaseModel):
    """A value for the service."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# --- what a shop sells ------------------------------------------------------------------------------------------------


class Money(Answered):
    """An amount in minor units of an ISO 4217 currency."""

    amount: int
    currency: str


class Plan(Answered):
    """A data package. `coverage` has countries (ISO 3166-1 alpha-2) and regions (`europe`)."""

    id: str
    title: str
    coverage: tuple[str, ...]
    data_mb: int
    validity_days: int
    profile_type: str


class Offer(Answered):
    """A plan and its price in this shop."""

    plan: Plan
    price: Money


class Documents(Answered):
    """The versions in force. An order names the offer and the privacy policy that its buyer accepted."""

    offer: str
    privacy: str
    refund: str


class Support(Answered):
    """Where buyers of this shop ask for help."""

    email: str
    other: tuple[str, ...] = ()


class Storefront(Answered):
    """The shop that the key belongs to."""

    slug: str
    name: str
    currency: str
    time_zone: str
    language: str
    support: Support
    documents: Documents
    plans: tuple[Offer, ...]


class DeviceException(Answered):
    """Versions of a device without eSIM, or with less of it. `regions`: where they are sold; empty: everywhere."""

    regions: tuple[str, ...] = ()
    note: str


class Device(Answered):
    """A device that supports eSIM, by its maker's statement. One that is not listed may support it all the same."""

    maker: str
    model: str
    since: int | None = None
    exceptions: tuple[DeviceException, ...] = ()


# --- orders -----------------------------------------------------------------------------------------------------------


class Company(Sent):
    """The legal person that buys. `number`: BIN or IIN (`KZ`), identification code (`GE`)."""

    name: str = Field(repr=False)
    number: str = Field(repr=False)
    country: Literal["KZ", "GE"]


class Buyer(Sent):
    """Who buys. The phone number is in international form; `+` may be missing where the shop's country is known."""

    name: str = Field(repr=False)
    email: str = Field(repr=False)
    phone: str = Field(repr=False)
    language: Language = "en"
    company: Company | None = None


class NewOrder(Sent):
    """An order to place. `device_compatible` and the two versions are what the buyer confirmed at the checkout.

    A top-up has `kind="top_up"` and the `iccid` of an eSIM that this shop has sold.
    """

    plan: str
    buyer: Buyer
    offer_version: str
    privacy_version: str
    device_compatible: Literal[True] = True
    kind: Kind = "esim"
    iccid: str | None = None
    newsletter: bool = False


class CheckoutSession(Sent):
    """Technical data of the buyer's session, for fraud control."""

    ip: str | None = Field(None, repr=False)
    user_agent: str | None = Field(None, repr=False)
    referrer: str | None = Field(None, repr=False)


class PlacedOrder(Answered):
    """An accepted order, as of its acceptance. `replayed`: the key had been used for the same order before."""

    order_id: str
    order_number: str
    status: str
    price: Money
    plan: Plan
    replayed: bool = False
    #: Placed with a key for tests.
    test: bool = False
    account_url: str | None = None


class FailedPayment(Answered):
    """An attempt to pay that the bank refused, with the bank's code."""

    at: datetime
    reason_code: int | None = None


class Receipt(Answered):
    """A fiscal receipt (`sale`, `sale_return`), and where it can be read."""

    kind: str | None = None
    issued_at: datetime
    url: str | None = None


class SurplusCharge(Answered):
    """A second payment for the same order, which goes back."""

    at: datetime
    amount: Money


class Payment(Answered):
    """The payment of an order. `state`: `unpaid`, `failed`, `lapsed` or `paid`."""

    state: str
    paid_at: datetime | None = None
    failures: tuple[FailedPayment, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    surplus: tuple[SurplusCharge, ...] = ()


class BankAccess(TypedDict, total=False):
    """The bank's token for one payment page."""

    access_token: str
    token_type: str
    expires_in: str


class PaymentObject(TypedDict, total=False):
    """The object for the bank's `halyk.pay()`: hand it to the buyer's browser as it is, with all its fields.

    `amount` is in major units (14.9), as the bank counts. It is a plain dict, in which nothing is checked or left out.
    """

    invoiceId: str
    amount: float
    currency: str
    accountId: str
    description: str
    data: str
    name: str
    phone: str
    email: str
    terminal: str
    language: str
    backLink: str
    failureBackLink: str
    postLink: str
    failurePostLink: str
    auth: BankAccess


class FailedDelivery(Answered):
    """A mailbox that refused the code, with the status of its server."""

    at: datetime
    smtp_code: int | None = None


class Delivery(Answered):
    """What the buyer got. `state`: `pending`, `delivered` or `failed`; `channel`: `email`, `account` or `operator`."""

    state: str
    delivered_at: datetime | None = None
    channel: str | None = None
    failures: tuple[FailedDelivery, ...] = ()


class Esim(Answered):
    """The eSIM of an order, or the one that a top-up extends. None is unknown, never "no" or zero.

    `state` is the operator's last report (`unknown released downloaded installed enabled disabled deleted`), usage is
    in bytes and `usage_age_seconds` old.
    """

    iccid: str
    state: str = "unknown"
    used_bytes: int | None = None
    total_bytes: int | None = None
    usage_age_seconds: int | None = None
    valid_until: datetime | None = None
    plan_ends_at: datetime | None = None
    state_observed_at: datetime | None = None
    usage_observed_at: datetime | None = None
    installed_at: datetime | None = None
    activated_at: datetime | None = None
    deleted_at: datetime | None = None
    revoked_at: datetime | None = None
    expired_at: datetime | None = None


class RefundSummary(Answered):
    """A refund case of an order. `state` is what happened last; `missing`: what the buyer has to send."""

    case_id: str
    state: str
    reason: str | None = None
    requested_at: datetime | None = None
    changed_at: datetime | None = None
    missing: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()


class Refund(Answered):
    """Money of an order that goes back. `state`: `approved`, `failed` (a person pays another way) or `settled`.

    `surplus`: of a second payment for the same order. `credited_by`: when the buyer has it at the latest.
    """

    refund_id: str
    case_id: str | None = None
    state: str
    amount: Money | None = None
    surplus: bool = False
    approved_at: datetime | None = None
    settled_at: datetime | None = None
    credited_by: date | None = None


class Order(Answered):
    """An order as it stands. `facts`: what happened, each kind with its first time.

    `account_url` is the buyer's own page, where the QR code is shown. Fields with None or nothing in them come from a
    newer service than the one that answered, or are not known yet.
    """

    order_id: str
    order_number: str
    status: str
    price: Money
    plan: Plan
    kind: str
    facts: dict[str, datetime] = {}
    submission_id: str | None = None
    placed_at: datetime | None = None
    payment: Payment | None = None
    delivery: Delivery | None = None
    esim: Esim | None = None
    refund_cases: tuple[RefundSummary, ...] = ()
    refunds: tuple[Refund, ...] = ()
    account_url: str | None = None
    #: Placed with a key for tests.
    test: bool = False
    trace_id: str | None = None
    trace_url: str | None = None


class ListedOrder(Answered):
    """An order in a list."""

    order_id: str
    order_number: str
    submission_id: str | None = None
    kind: str
    status: str
    placed_at: datetime
    price: Money
    plan: Plan
    iccid: str | None = None
    #: Placed with a key for tests.
    test: bool = False


class TimelineEntry(Answered):
    """One fact of an order in words for its buyer. `at` is in the shop's time zone."""

    at: datetime
    fact: str
    sentence: str


class Resend(Answered):
    """A code that is sent again; the order shows its delivery."""

    resend_id: str
    order_id: str
    state: str
    requested_at: datetime
