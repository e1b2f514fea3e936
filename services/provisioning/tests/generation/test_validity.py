"""RC 7: 180 days end at 24:00 of the storefront's day, and never later than at the operator."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.generation.rules.validity import valid_until

ALMATY, TBILISI, UTC_ZONE = ZoneInfo("Asia/Almaty"), ZoneInfo("Asia/Tbilisi"), ZoneInfo("UTC")
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("paid_at", "zone", "midnight"),
    [
        # 18:59 in UTC is 23:59 in Almaty: still the day of purchase there; a minute later it is the next one.
        (datetime(2026, 5, 1, 18, 59, tzinfo=UTC), ALMATY, datetime(2026, 10, 28, 19, tzinfo=UTC)),
        (datetime(2026, 5, 1, 19, 0, tzinfo=UTC), ALMATY, datetime(2026, 10, 29, 19, tzinfo=UTC)),
        (datetime(2026, 5, 1, 0, 0, tzinfo=UTC), UTC_ZONE, datetime(2026, 10, 29, tzinfo=UTC)),
        (datetime(2026, 5, 1, 23, 59, 59, tzinfo=UTC), UTC_ZONE, datetime(2026, 10, 29, tzinfo=UTC)),
        (datetime(2026, 5, 1, 20, 0, tzinfo=UTC), TBILISI, datetime(2026, 10, 29, 20, tzinfo=UTC)),
    ],
)
def test_180_days_end_at_midnight_of_the_storefront(paid_at: datetime, zone: ZoneInfo, midnight: datetime) -> None:
    assert valid_until(paid_at, 180, zone) == midnight - MOMENT


moments = st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis wants them naive
zones = st.sampled_from([ALMATY, TBILISI, UTC_ZONE, ZoneInfo("America/New_York")])


@given(moments, st.integers(1, 400), zones, st.none() | st.integers(0, 500))
def test_no_promise_outlives_the_operator(paid_at: datetime, days: int, zone: ZoneInfo, operator: int | None) -> None:
    ends_at = None if operator is None else paid_at + timedelta(days=operator, hours=3)
    until = valid_until(paid_at, days, zone, ends_at)
    last = until.astimezone(zone)
    assert (last + MOMENT).strftime("%H:%M:%S.%f") == "00:00:00.000000"
    assert last.date() <= _day(paid_at, zone) + timedelta(days=days)
    if ends_at is None:
        assert last.date() == _day(paid_at, zone) + timedelta(days=days)
    else:
        assert until < ends_at


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()
