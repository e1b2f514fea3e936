"""Days as policies.md's clock rules count them: the day of the event is day 0, a deadline is 24:00 of its last day.

Business days skip Saturdays and Sundays. Public holidays are not known here yet.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SATURDAY = 5


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a moment where the seller is."""
    return moment.astimezone(zone).date()


def add_business_days(day: date, count: int) -> date:
    """The `count`-th business day after `day`."""
    while count:
        day += timedelta(days=1)
        if day.weekday() < _SATURDAY:
            count -= 1
    return day


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of a local day, in UTC."""
    return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
