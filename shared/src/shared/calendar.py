"""Days as docs/policies.md's clock rules count them: the day of an event is day 0, a deadline is 24:00 of its last day.

Business days skip Saturdays, Sundays and the public holidays of a country; a Saturday that a government declares a
working day is not counted, because the rule knows no exception. Needs the extra `esim-shared[calendar]`.
"""

from datetime import date, timedelta
from functools import lru_cache

import holidays

from shared.days import end_of, local_day

__all__ = ["add_business_days", "end_of", "is_business_day", "knows_country", "local_day"]
_SATURDAY = 5


def is_business_day(day: date, country: str | None = None) -> bool:
    """Monday to Friday, and no public holiday of the country (ISO 3166-1 alpha-2; None: no holidays)."""
    return day.weekday() < _SATURDAY and (country is None or day not in _holidays(country))


def add_business_days(day: date, count: int, country: str | None = None) -> date:
    """The `count`-th business day after `day`."""
    while count:
        day += timedelta(days=1)
        if is_business_day(day, country):
            count -= 1
    return day


@lru_cache
def knows_country(country: str) -> bool:
    """True where the public holidays of a country are known."""
    return country in holidays.list_supported_countries(include_aliases=False)


@lru_cache
def _holidays(country: str) -> holidays.HolidayBase:
    return holidays.country_holidays(country)  # years are worked out as they are asked for
