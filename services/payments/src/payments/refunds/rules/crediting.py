"""When refunded money arrives at the buyer, as each seller promises (docs/policies.md), in days of its country.

The day of the refund itself is day 0. Banking and business days skip Saturdays, Sundays and the public holidays of the
seller's country; calendar days do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.calendar import add_business_days, local_day


@dataclass(slots=True, frozen=True)
class Term:
    """A number of days: business days or calendar days."""

    days: int
    business: bool = False


@dataclass(slots=True, frozen=True)
class Promise:
    """A seller's promise for one method of payment: usually from, usually by, at the latest. `clause` is its source."""

    clause: str
    time_zone: str
    country: str | None
    usually_from: Term | None
    usually_by: Term
    latest: Term | None = None


@dataclass(slots=True, frozen=True)
class Window:
    """The days on which the money may arrive. None: the seller promises nothing about it."""

    first: date | None
    usual: date
    latest: date | None


#: By storefront and method of payment. The clause of esimka is about cards only.
PROMISES: Mapping[tuple[str, str], Promise] = {
    ("qazaq-esim", "card"): Promise(
        "RP 3", "Asia/Almaty", "KZ", Term(3, business=True), Term(10, business=True), Term(30)
    ),
    **{
        ("e-sim-onl", method): Promise("RC 3", "UTC", None, Term(5, business=True), Term(10, business=True))
        for method in ("card", "bank_transfer", "wallet")
    },
    ("esimka", "card"): Promise("RF 5.3", "Asia/Tbilisi", "GE", None, Term(30)),
}


def window(storefront: str, method: str, refunded_at: datetime) -> Window | None:
    """The days for a refund made at that moment; None where the seller promises nothing for that method."""
    promise = PROMISES.get((storefront, method))
    if promise is None:
        return None
    day = local_day(refunded_at, ZoneInfo(promise.time_zone))
    return Window(
        _after(day, promise.usually_from, promise.country),
        add_days(day, promise.usually_by, promise.country),
        _after(day, promise.latest, promise.country),
    )


def add_days(day: date, term: Term, country: str | None) -> date:
    """The day that ends a term; business days of `country` (ISO 3166), without holidays where it is None."""
    if term.business:
        return add_business_days(day, term.days, country)
    return day + timedelta(days=term.days)


def _after(day: date, term: Term | None, country: str | None) -> date | None:
    return None if term is None else add_days(day, term, country)
