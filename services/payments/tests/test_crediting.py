"""When refunded money arrives: the promises of docs/policies.md, to the day."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.refunds.rules.crediting import Window, add_days, window
from shared.calendar import is_business_day
from shared.shops.models import Days
from shared.shops.reading import read_shops
from shared.testing.shops import EXAMPLES

SHOPS = read_shops(EXAMPLES)
PROMISES = [(slug, method) for slug, shop in SHOPS.items() for one in shop.crediting for method in one.methods]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("storefront", "refunded", "expected"),
    [
        # RP 3: 3-10 banking days of Kazakhstan, 30 days in rare cases. Monday to Thursday, and over two weekends.
        ("qazaq-esim", "2026-06-01T10:00", (date(2026, 6, 4), date(2026, 6, 15), date(2026, 7, 1))),
        # 20:00 UTC is the next day in Almaty.
        ("qazaq-esim", "2026-06-01T20:00", (date(2026, 6, 5), date(2026, 6, 16), date(2026, 7, 2))),
        # Nowruz: 21-23 March, and two days in lieu of the weekend.
        ("qazaq-esim", "2026-03-19T06:00", (date(2026, 3, 27), date(2026, 4, 7), date(2026, 4, 18))),
        # RC 3: 5-10 business days, no holidays, UTC.
        ("e-sim-onl", "2026-06-01T23:59", (date(2026, 6, 8), date(2026, 6, 15), None)),
        ("e-sim-onl", "2026-12-24T00:00", (date(2026, 12, 31), date(2027, 1, 7), None)),
        # RF 5.3: up to 30 calendar days, in Tbilisi.
        ("esimka", "2026-06-01T10:00", (None, date(2026, 7, 1), None)),
        ("esimka", "2026-06-01T20:30", (None, date(2026, 7, 2), None)),
    ],
)
def test_when_it_arrives(storefront: str, refunded: str, expected: tuple[date | None, date, date | None]) -> None:
    assert window(SHOPS[storefront], "card", at(refunded)) == Window(*expected)


def test_nothing_is_promised_where_no_policy_promises() -> None:
    assert window(SHOPS["esimka"], "bank_transfer", at("2026-06-01T10:00")) is None
    assert window(SHOPS["e-sim-onl"], "wallet", at("2026-06-01T10:00")) is not None


@given(
    day=st.dates(date(2024, 1, 1), date(2035, 1, 1)),
    days=st.integers(1, 40),
    country=st.sampled_from(["KZ", "GE", None]),
)
def test_business_days_are_counted_one_by_one(day: date, days: int, country: str | None) -> None:
    end = add_days(day, Days(business_days=days), country)
    passed = [date.fromordinal(one) for one in range(day.toordinal() + 1, end.toordinal() + 1)]
    assert sum(is_business_day(one, country) for one in passed) == days
    assert is_business_day(end, country)


@given(st.sampled_from(PROMISES), st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1)))  # noqa: DTZ001 - st's own
def test_the_days_of_a_window_are_in_order(promise: tuple[str, str], moment: datetime) -> None:
    found = window(SHOPS[promise[0]], promise[1], moment.replace(tzinfo=UTC))
    assert found is not None
    days = [one for one in (found.first, found.usual, found.latest) if one is not None]
    assert days == sorted(days)
    assert days[0].toordinal() >= moment.toordinal()
