"""What a mail is about: plain values, complete, so that rendering needs nothing else."""

from dataclasses import dataclass
from datetime import date

from notifications.domain.activation import ActivationCode
from shared.contracts import Explanation, Money, Plan


@dataclass(frozen=True, slots=True)
class Storefront:
    """Who writes. `accent` is a colour that carries white text."""

    name: str
    address: str
    support: str
    time_zone: str
    accent: str


@dataclass(frozen=True, slots=True)
class Letter:
    """What all mails about an order have."""

    store: Storefront
    #: The buyer's language; texts fall back to one that exists.
    language: str
    name: str
    order_number: str


@dataclass(frozen=True, slots=True)
class QrLetter(Letter):
    """The delivery of an eSIM (interfaces.md section 5). `valid_until` is a day at the storefront."""

    plan: Plan
    code: ActivationCode
    confirmation_code: str | None
    iccid: str
    apn: str | None
    valid_until: date


@dataclass(frozen=True, slots=True)
class RefundLetter(Letter):
    """The money goes back: how much, why, and when to expect it."""

    amount: Money
    explanation: Explanation
    #: As `RP 2.1`.
    clauses: tuple[str, ...]
    credited_by: date | None


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
    pictures: tuple[Picture, ...] = ()
