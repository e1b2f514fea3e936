"""A seller's clock, for policies: where its days begin and end, and which of them are business days."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.calendar import add_business_days, end_of, local_day


@dataclass(slots=True, frozen=True)
class Calendar:
    """A seller's clock: time zone, and the country whose public holidays count."""

    zone: ZoneInfo
    country: str | None = None

    def day(self, moment: datetime) -> date:
        """The seller's calendar day of a moment."""
        return local_day(moment, self.zone)

    def days_between(self, earlier: datetime, later: datetime) -> int:
        """Calendar days from one moment's day (day 0) to another's."""
        return (self.day(later) - self.day(earlier)).days

    def after_calendar_days(self, moment: datetime, count: int) -> datetime:
        """24:00 of the `count`-th calendar day after the moment's day, in UTC."""
        return end_of(self.day(moment) + timedelta(days=count), self.zone)

    def after_business_days(self, moment: datetime, count: int) -> datetime:
        """24:00 of the `count`-th business day after the moment's day, in UTC."""
        return end_of(add_business_days(self.day(moment), count, self.country), self.zone)

    def last_day(self, deadline: datetime) -> date:
        """The day that a deadline ends: 24:00 of a day still belongs to it."""
        return self.day(deadline - timedelta(microseconds=1))
