"""What a mail is about: plain values, complete, so that rendering needs nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.contracts import Plan
from shared.values.activation_code import ActivationCode


@dataclass(frozen=True, slots=True)
class Storefront:
    """Who writes. `accent` is a colour that carries white text."""

    name: str
    address: str
    support: str
    time_zone: str
    accent: str
    #: The sender of SMS: at most 11 letters and digits.
    sms_sender: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What all mails about an order have."""

    store: Storefront
    #: The buyer's language; English where we do not write it.
    language: str
    name: str
    order_number: str


@dataclass(frozen=True, slots=True)
class ActivationCodeEmail(Letter):
    """The delivery of an eSIM (docs/wire/delivery.md). `valid_until` is a day at the storefront."""

    plan: Plan
    code: ActivationCode
    confirmation_code: str | None
    iccid: str
    apn: str | None
    valid_until: date
    receipt_url: str | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """What a mail without a code says: names of sentences in its section of the texts, and values for them."""

    #: The section of `texts/<language>.toml`.
    section: str
    #: For the placeholders in its sentences.
    values: Mapping[str, str]
    #: Names of sentences; they follow what is `said`.
    paragraphs: tuple[str, ...]
    #: Sentences that came with the fact, in the buyer's language.
    said: tuple[str, ...] = ()
    #: Names of sentences that stand as a list.
    points: tuple[str, ...] = ()
    #: Names of labels, and values.
    rows: tuple[tuple[str, str], ...] = ()
    #: Names of labels, and addresses.
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NoteEmail(Letter):
    """Any mail without a code."""

    note: Note
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """A square image inside the mail, named by its Content-ID (without brackets); `side` in pixels."""

    cid: str
    side: int
    png: bytes


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail's content."""

    subject: str
    text: str
    html: str
    pictures: tuple[Picture, ...] = field(default=())
