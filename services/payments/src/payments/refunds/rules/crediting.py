"""When refunded money arrives at the buyer, as each seller promises in its folder, in days of its country.

The day of the refund itself is day 0. Banking and business days skip Saturdays, Sundays and the public holidays of the
seller's country; calendar days do not.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.calendar import add_business_days, local_day
from shared.shops.models import Days, Shop


@dataclass(slots=True, frozen=True)
class Window:
    """The days on which the money may arrive. None: the seller promises nothing about it."""

    first: date | None
    usual: date
    latest: date | None


def window(shop: Shop, method: str, refunded_at: datetime) -> Window | None:
    """The days for a refund made at that moment; None where the seller promises nothing for that method."""
    promise = shop.promise(method)
    if promise is None:
        return None
    day = local_day(refunded_at, shop.zone)
    return Window(
        _after(day, promise.usually_from, shop.holidays),
        add_days(day, promise.usually_by, shop.holidays),
        _after(day, promise.latest, shop.holidays),
    )


def add_days(day: date, days: Days, country: str | None) -> date:
    """The day that ends them; business days of `country` (ISO 3166), without holidays where it is None."""
    if days.business_days is not None:
        return add_business_days(day, days.business_days, country)
    return day + timedelta(days=days.calendar_days or 0)


def _after(day: date, days: Days | None, country: str | None) -> date | None:
    return None if days is None else add_days(day, days, country)
