"""A shop as its `shop.toml` describes it. What each field means to people: docs/how-to/add-a-shop.md."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from shared.contracts.base import Currency, Language, Slug
from shared.shops.brand import Brand
from shared.shops.entry import Entry, wrong_starts
from shared.shops.plans import PlanVersion
from shared.shops.policy import Clause, PolicyFile
from shared.values.count import LARGEST_INT
from shared.values.moment import Moment
from shared.values.text import Line

Name = Annotated[str, Line(100)]
Label = Annotated[str, Line(40)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
#: An address as mail servers write it (RFC 5321), of ASCII, without comments and quoted parts.
Address = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}$")
]
#: What a browser sends as `Origin` (RFC 6454): scheme, host, and a port where it is not the usual one.
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?$")]
#: The authserv-id of a mail server, in lower case.
ServerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]{1,253}$")]
#: A page of the shop, with the place of the order's id.
PaymentPage = Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}\"<>]{1,300}\{order_id\}[^\s{}\"<>]{0,300}$")]
#: A page of the shop.
Site = Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}\"<>]{1,300}$")]
PaymentMethod = Literal["card", "bank_transfer", "wallet"]
PersonalField = Literal["name", "email", "phone"]
Positive = Annotated[int, Field(ge=1, le=LARGEST_INT)]


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise ValueError("is not a time zone of the IANA database") from None
    return name


class Support(Entry):
    """Where buyers ask for help: by e-mail, and in `channels` besides."""

    email: Address
    channels: tuple[Name, ...] = ()
    #: The names that the shop's own receiving mail server writes into Authentication-Results (RFC 8601); without them
    #: no sender of an e-mail is proved, and every mail waits for an agent.
    authenticated_by: tuple[ServerName, ...] = ()
    #: Whether the address takes mail for `local+tag@…` (RFC 5233), so that an answer names its order by its recipient.
    reply_tags: bool = False
    #: Where the shop's pages with a contact form are served from; without them only the shop itself hands messages in.
    form_origins: tuple[Origin, ...] = ()


class Alerts(Entry):
    """Who of the shop's staff is written to before a deadline passes, and how many hours before.

    Not the support address where e-mails are read from it: what comes from ourselves is left alone there.
    """

    email: Address
    #: None: DEADLINE_ALERT_HOURS of refunds.
    deadline_hours: Positive | None = None


class Sender(Entry):
    """From whom buyers get e-mails and SMS. `sms`: up to 11 letters and digits, as registered with the gateway."""

    email: Address
    sms: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,11}$")]


class Documents(Entry):
    """The versions that a buyer accepts, and the refund policy that judges, from a moment on."""

    offer: Label
    privacy: Label
    refund: Label
    effective_from: Moment | None = None


class Deadlines(Entry):
    """Times of this shop alone; None: the service's own setting counts."""

    #: An order that nobody paid lapses after this.
    payment_seconds: Positive | None = None
    #: A paid order without an eSIM fails after this, and the money goes back.
    delivery_seconds: Positive | None = None
    #: An eSIM that nobody installed expires after so many days (RC 7).
    unused_days: Positive | None = None
    #: So many days before, the end of an unused eSIM and of a running plan is announced to the buyer.
    unused_notice_days: Positive | None = None
    plan_notice_days: Positive | None = None
    #: A refund case waits so long for the operator's report, then a person has to act.
    observation_hours: Positive | None = None


class Days(Entry):
    """A number of days: of business days, or of calendar days."""

    business_days: Annotated[int, Field(ge=1, le=366)] | None = None
    calendar_days: Annotated[int, Field(ge=1, le=366)] | None = None

    @model_validator(mode="after")
    def _one_unit(self) -> "Days":
        if (self.business_days is None) == (self.calendar_days is None):
            raise ValueError("give exactly one of business_days and calendar_days")
        return self


class Crediting(Entry):
    """When refunded money arrives at the buyer, as the seller promises for these methods of payment."""

    clause: Clause
    methods: tuple[PaymentMethod, ...] = Field(min_length=1)
    usually_from: Days | None = None
    usually_by: Days
    latest: Days | None = None


class Cancellation(Entry):
    """The seller lets buyers cancel an order while its eSIM is not installed, under these clauses."""

    clauses: tuple[Clause, ...] = Field(min_length=1)


class FraudLimits(Entry):
    """Highest usual counts within 24 hours; None: the service's own limit counts (FRAUD_LIMITS of ordering)."""

    orders_by_email: Positive | None = None
    orders_by_phone: Positive | None = None
    orders_by_ip: Positive | None = None
    emails_by_phone: Positive | None = None
    emails_by_ip: Positive | None = None
    unpaid_by_email: Positive | None = None
    unpaid_by_phone: Positive | None = None
    unpaid_by_ip: Positive | None = None


class CashRegister(Entry):
    """The shop's cash register at Webkassa, without its login and password."""

    cashbox: Name
    #: The register's number at the tax authority. Used where answers do not contain it: a return has to name it.
    registration_number: Name | None = None
    #: VAT that prices contain, in per cent; None: none (TaxType 0).
    vat_percent: Decimal | None = Field(None, ge=0, lt=100, max_digits=5, decimal_places=2)
    #: Webkassa's PositionType of what is sold: 2, a service.
    position_type: int = Field(2, ge=0, le=LARGEST_INT)
    #: Whether Webkassa gets the buyer's e-mail and telephone. Our own e-mail contains the receipt's address anyway.
    send_contact: bool = False


class RouteOffer(Entry):
    """An operator that sells a plan to this shop. `profile_type` None: the plan's own name."""

    operator: Label
    profile_type: Name | None = None


class ShopFile(Entry):
    """The content of `shop.toml`."""

    name: Name
    currency: Currency
    time_zone: Annotated[str, AfterValidator(_time_zone)]
    #: ISO 3166-1: the country whose public holidays are no business days; None: there are none.
    holidays: Country | None = None
    #: Languages of the shop; a buyer who names none gets the first.
    languages: tuple[Language, ...] = Field(min_length=1)
    #: The country of phone numbers without `+`.
    phone_region: Country | None = None
    support: Support
    #: None: nobody is alerted.
    alerts: Alerts | None = None
    sender: Sender
    documents: tuple[Documents, ...] = Field(min_length=1)
    deadlines: Deadlines = Deadlines()
    crediting: tuple[Crediting, ...] = ()
    cancellation: Cancellation | None = None
    fraud_limits: FraudLimits = FraudLimits()
    cash_register: CashRegister | None = None
    #: The shop's own page where an order that was not paid yet can be paid; `{order_id}` stands for its id.
    payment_page: PaymentPage | None = None
    #: The shop's own site, where a buyer can place a new order.
    site: Site | None = None
    #: By a plan's profile type, or `*`: the operators that sell it to this shop, best first.
    routes: Mapping[str, Annotated[tuple[RouteOffer, ...], Field(min_length=1)]] = Field(default_factory=dict)
    #: What operators may learn of this shop's buyers (PP 5.2); None: the service's own setting counts.
    personal_data_for_operators: tuple[PersonalField, ...] | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "ShopFile":
        if wrong := wrong_starts(self.documents, since_ever=True):
            raise ValueError(f"documents: effective_from: {wrong}")
        methods = [method for promise in self.crediting for method in promise.methods]
        if len(set(methods)) < len(methods):
            raise ValueError("crediting: a method of payment has two promises")
        for profile_type, offers in self.routes.items():
            if len({offer.operator for offer in offers}) < len(offers):
                raise ValueError(f"routes: {profile_type} names an operator twice")
        return self


class Shop(ShopFile):
    """All of one shop's folder."""

    slug: Slug
    plans: tuple[PlanVersion, ...]
    policies: tuple[PolicyFile, ...]
    brand: Brand

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of its deadlines."""
        return ZoneInfo(self.time_zone)

    @property
    def language(self) -> Language:
        """Of a buyer who names none."""
        return self.languages[0]

    def promise(self, method: str) -> Crediting | None:
        """What it promises about the arrival of refunded money; None: nothing for this method."""
        return next((one for one in self.crediting if method in one.methods), None)
