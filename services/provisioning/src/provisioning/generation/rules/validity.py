"""Decides until when an eSIM may be activated (RC 7), which the buyer is promised."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.days import end_of, local_day

_LAST_MOMENT = timedelta(microseconds=1)


def valid_until(paid_at: datetime, days: int, zone: ZoneInfo, operator_ends_at: datetime | None = None) -> datetime:
    """The last moment of the last day: `days` calendar days after the purchase, which is day 0.

    `operator_ends_at`: when the operator ends an unused profile, where that is known. Where it is earlier, the last
    whole day before it counts, since an email that names a day promises all of it.
    """
    last_day = local_day(paid_at, zone) + timedelta(days=days)
    if operator_ends_at is not None:
        last_day = min(last_day, local_day(operator_ends_at, zone) - timedelta(days=1))
    return end_of(last_day, zone) - _LAST_MOMENT
