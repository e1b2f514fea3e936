"""Local days of a seller: the day of a moment, and the end of a day. Holidays: `shared.calendar` (an extra)."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a moment in the seller's time zone."""
    return moment.astimezone(zone).date()


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of a local day, in UTC."""
    return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
