"""Local days of a seller: when they are, and when they end. Holidays are in `shared.calendar`, which needs an extra."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a moment where the seller is."""
    return moment.astimezone(zone).date()


def end_of(day: date, zone: ZoneInfo) -> datetime:
    """24:00 of a local day, in UTC."""
    return datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC)
