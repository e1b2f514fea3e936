"""How long an eSIM may wait for its first activation (RC 7), and what the buyer is promised about it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.days import end_of, local_day

_LAST_MOMENT = timedelta(microseconds=1)


def valid_until(paid_at: datetime, days: int, zone: ZoneInfo, operator_ends_at: datetime | None = None) -> datetime:
    """The last moment of the last day: `days` calendar days after the purchase, which is day 0.

    `operator_ends_at`: when the operator ends an unused profile by itself, where that is known. Where it is earlier,
    the last whole day before it counts, since a mail that names a day promises all of it.
    """
    last_day = local_day(paid_at, zone) + timedelta(days=days)
    if operator_ends_at is not None:
        last_day = min(last_day, local_day(operator_ends_at, zone) - timedelta(days=1))
    return end_of(last_day, zone) - _LAST_MOMENT
