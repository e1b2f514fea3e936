"""The content of an email before and after rendering: plain values, complete, so that rendering needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.contracts import Plan
from shared.values.activation_code import ActivationCode


@dataclass(frozen=True, slots=True)
class Storefront:
    """The shop that an email comes from. `accent` is a colour on which white text is readable."""

    name: str
    address: str
    support: str
    time_zone: str
    accent: str
    #: The sender of SMS: at most 11 letters and digits.
    sms_sender: str
    #: Whether the support address takes mail with a tag: `support+tag@…`.
    reply_tags: bool = False
    #: Where an order can be paid later; `{order_id}` stands for its id.
    payment_page: str | None = None
    #: Where a buyer can place a new order.
    site: str | None = None
    #: Where its agents are alerted of deadlines.
    alerts: str | None = None


@dataclass(frozen=True, slots=True)
class OrderEmail:
    """What all emails about an order have."""

    store: Storefront
    #: The buyer's language. The email is in English if there are no texts in it.
    language: str
    name: str
    order_number: str


@dataclass(frozen=True, slots=True)
class ActivationCodeEmail(OrderEmail):
    """The email that delivers an eSIM (docs/wire/delivery.md). `valid_until` is a day in the storefront's time zone."""

    plan: Plan
    code: ActivationCode
    confirmation_code: str | None
    iccid: str
    apn: str | None
    valid_until: date
    receipt_url: str | None = None
    account: str | None = None
    #: The legal person that the order is for, with its number: Webkassa's receipt has no field for it (PO 1).
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """The content of an email without a code: names of sentences in a section of the texts, and values for them."""

    #: The section of `texts/<language>.toml`.
    section: str
    #: For the placeholders in its sentences.
    values: Mapping[str, str]
    #: Names of sentences; they follow the `explanations`.
    paragraphs: tuple[str, ...]
    #: Sentences that came with the event, in the buyer's language.
    explanations: tuple[str, ...] = ()
    #: Names of sentences that form a list.
    points: tuple[str, ...] = ()
    #: Names of labels, and values.
    rows: tuple[tuple[str, str], ...] = ()
    #: Names of labels, and addresses.
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoteEmail(OrderEmail):
    """Any email without an activation code."""

    note: Note
    account: str | None = None
    #: Of a reminder: the link that switches reminders off.
    reminders_off: str | None = None
    company: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A square image inside the email, with its Content-ID (without brackets); `side` is in pixels."""

    cid: str
    side: int
    png: bytes


@dataclass(frozen=True, slots=True)
class Rendered:
    """The rendered content of an email."""

    subject: str
    text: str
    html: str
    pictures: tuple[Picture, ...] = field(default=())
