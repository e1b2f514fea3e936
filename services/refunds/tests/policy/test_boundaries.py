"""Both sides of every boundary, in the sellers' own time zones; deadlines across weekends, holidays and years."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from refunds.policy import Decision
from refunds.policy.models.calendar import Calendar
from shared.testing.documents import JsonObject

Decide = Callable[..., Decision]
CONFIRMED = {"finding": "technical_failure"}


def fresh(moment: str, **profile: object) -> JsonObject:
    return {"install_state": "released", "used_bytes": 0, "observed_at": moment, **profile}


@pytest.mark.parametrize(
    ("paid_at", "asked_at", "verdict"),
    [
        # Day 0 is the day of the purchase in Almaty (UTC+5), however late in it.
        ("2026-11-02T00:00:00+05:00", "2026-11-16T23:59:59+05:00", "approve"),
        ("2026-11-02T23:59:59+05:00", "2026-11-16T23:59:59.999999+05:00", "approve"),
        ("2026-11-02T23:59:59+05:00", "2026-11-17T00:00:00+05:00", "deny"),
        # 20:00 in London is tomorrow in Almaty.
        ("2026-11-02T20:00:00Z", "2026-11-17T18:59:59Z", "approve"),
        ("2026-11-02T20:00:00Z", "2026-11-17T19:00:00Z", "deny"),
        # Over the end of the year, and through 29 February of a leap year.
        ("2026-12-25T12:00:00+05:00", "2027-01-08T23:59:59+05:00", "approve"),
        ("2026-12-25T12:00:00+05:00", "2027-01-09T00:00:00+05:00", "deny"),
        ("2028-02-20T12:00:00+05:00", "2028-03-05T23:59:59+05:00", "approve"),
        ("2028-02-20T12:00:00+05:00", "2028-03-06T00:00:00+05:00", "deny"),
        # Almaty went from UTC+6 to UTC+5 on 1 March 2024: the day has the zone of its own date.
        ("2024-02-20T12:00:00+06:00", "2024-03-05T18:59:59Z", "approve"),
        ("2024-02-20T12:00:00+06:00", "2024-03-05T19:00:00Z", "deny"),
    ],
)
def test_qazaq_day_14_ends_at_midnight_in_almaty(decided: Decide, paid_at: str, asked_at: str, verdict: str) -> None:
    decision = decided(
        "qazaq-esim",
        "technical_failure",
        order={"paid_at": paid_at},
        support=CONFIRMED,
        request={"received_at": asked_at},
        profile=fresh(asked_at),
    )
    assert decision.verdict == verdict


@pytest.mark.parametrize(
    ("asked_at", "verdict"),
    [("2026-12-02T23:59:59.999999Z", "approve"), ("2026-12-03T00:00:00Z", "deny")],
)
def test_onl_day_30_ends_at_midnight_utc(decided: Decide, asked_at: str, verdict: str) -> None:
    decision = decided("e-sim-onl", "other", request={"received_at": asked_at}, profile=fresh(asked_at))
    assert decision.verdict == verdict
    assert decision.deadlines.request_until == datetime(2026, 12, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("asked_at", "clauses"),
    [("2027-05-01T23:59:59Z", ["1"]), ("2027-05-02T00:00:00Z", ["7", "1"])],
)
def test_onl_expires_after_180_days(decided: Decide, asked_at: str, clauses: list[str]) -> None:
    decision = decided("e-sim-onl", "other", request={"received_at": asked_at}, profile=fresh(asked_at))
    assert (decision.verdict, [ground.clause for ground in decision.grounds]) == ("deny", clauses)


def test_onl_an_activated_esim_does_not_expire_unused(decided: Decide) -> None:
    asked_at = "2027-05-02T00:00:00Z"
    decision = decided(
        "e-sim-onl", "other", request={"received_at": asked_at}, profile=fresh(asked_at, activated_at=asked_at)
    )
    assert [ground.clause for ground in decision.grounds] == ["1"]


@pytest.mark.parametrize(
    ("asked_at", "verdict"),
    [("2026-11-23T23:59:59+04:00", "approve"), ("2026-11-24T00:00:00+04:00", "deny")],
)
def test_esimka_counts_14_days_from_delivery_in_tbilisi(decided: Decide, asked_at: str, verdict: str) -> None:
    decision = decided(
        "esimka",
        "changed_mind",
        order={"paid_at": "2026-11-01T12:00:00Z"},
        # Paid on the first, delivered on the ninth in Tbilisi.
        delivery={"delivered_at": "2026-11-08T20:00:00Z"},
        request={"received_at": asked_at},
        profile=fresh(asked_at),
    )
    assert decision.verdict == verdict
    assert decision.deadlines.request_until == datetime(2026, 11, 23, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "restored_at", "verdict"),
    [
        ("2026-11-13T11:59:59+05:00", None, "await_restoration"),
        ("2026-11-13T12:00:00+05:00", None, "approve"),
        ("2026-11-13T12:00:01+05:00", "2026-11-13T12:00:00+05:00", "deny"),
        ("2026-11-13T12:00:01+05:00", "2026-11-13T12:00:01+05:00", "approve"),
        ("2026-12-31T12:00:00+05:00", "2026-11-13T11:59:59+05:00", "deny"),
    ],
)
def test_esimka_72_hours_are_exact(decided: Decide, now: str, restored_at: str | None, verdict: str) -> None:
    decision = decided(
        "esimka",
        "technical_failure",
        now=now,
        support={**CONFIRMED, "restored_at": restored_at},
        profile=fresh("2026-11-10T12:00:00+05:00", activated_at="2026-11-03T00:00:00Z"),
    )
    assert decision.verdict == verdict
    assert decision.deadlines.restore_by == datetime(2026, 11, 13, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "delivered_at", "verdict"),
    [
        ("2026-11-11T12:00:00+05:00", None, "deny"),
        ("2026-11-11T12:00:01+05:00", None, "approve"),
        ("2026-11-12T12:00:00+05:00", "2026-11-11T12:00:01+05:00", "approve"),
    ],
)
def test_esimka_delivery_is_due_at_an_exact_moment(
    decided: Decide, now: str, delivered_at: str | None, verdict: str
) -> None:
    decision = decided(
        "esimka",
        "not_delivered",
        now=now,
        order={"delivery_due_at": "2026-11-11T12:00:00+05:00"},
        delivery={"delivered_at": delivered_at},
    )
    assert (decision.verdict, "RF 2.3" in decision.explanation.en) == (verdict, True)


@pytest.mark.parametrize(("used", "verdict"), [(0, "approve"), (1, "deny")])
@pytest.mark.parametrize(
    ("storefront", "reason"), [("qazaq-esim", "technical_failure"), ("e-sim-onl", "other"), ("esimka", "other")]
)
def test_one_byte_is_use(decided: Decide, storefront: str, reason: str, used: int, verdict: str) -> None:
    profile = fresh("2026-11-10T12:00:00+05:00", used_bytes=used)
    assert decided(storefront, reason, support=CONFIRMED if used == 0 else None, profile=profile).verdict == verdict


@pytest.mark.parametrize(
    ("observed_at", "verdict"),
    [("2026-11-10T11:59:59.999999+05:00", "await_observation"), ("2026-11-10T12:00:00+05:00", "approve")],
)
@pytest.mark.parametrize("storefront", ["qazaq-esim", "e-sim-onl", "esimka"])
def test_an_observation_is_not_older_than_the_request(
    decided: Decide, storefront: str, observed_at: str, verdict: str
) -> None:
    reason, support = ("technical_failure", CONFIRMED) if storefront == "qazaq-esim" else ("changed_mind", None)
    assert decided(storefront, reason, support=support, profile=fresh(observed_at)).verdict == verdict


@pytest.mark.parametrize(
    ("storefront", "decided_at", "pay_by", "credited_by"),
    [
        # Ten banking days from Tuesday 15 December: the 16th is Independence Day; then 1, 4 and 7 January.
        ("qazaq-esim", "2026-12-15T12:00:00+05:00", None, datetime(2026, 12, 30, 19, tzinfo=UTC)),
        ("qazaq-esim", "2026-12-24T12:00:00+05:00", None, datetime(2027, 1, 12, 19, tzinfo=UTC)),
        # No public holidays.
        ("e-sim-onl", "2026-12-24T12:00:00+05:00", None, datetime(2027, 1, 8, tzinfo=UTC)),
        # Saint George's Day is Monday 23 November; 30 calendar days run on.
        (
            "esimka",
            "2026-11-20T12:00:00+04:00",
            datetime(2026, 12, 7, 20, tzinfo=UTC),
            datetime(2026, 12, 20, 20, tzinfo=UTC),
        ),
        # The day is Tbilisi's: 21:00 in London is Saturday there.
        (
            "esimka",
            "2026-11-20T21:00:00Z",
            datetime(2026, 12, 7, 20, tzinfo=UTC),
            datetime(2026, 12, 21, 20, tzinfo=UTC),
        ),
    ],
)
def test_money_is_promised_in_business_days(
    decided: Decide, storefront: str, decided_at: str, pay_by: datetime | None, credited_by: datetime
) -> None:
    decision = decided(storefront, "double_charge", now=decided_at, order={"charges": 2})
    assert (decision.deadlines.pay_by, decision.deadlines.credited_by) == (pay_by, credited_by)


def test_the_review_begins_when_the_last_document_is_there(decided: Decide) -> None:
    asked = {"received_at": "2026-11-20T12:00:00+04:00"}
    due = decided("esimka", "technical_failure", request=asked).deadlines.decide_by
    assert due == datetime(2026, 12, 7, 20, tzinfo=UTC)
    later = decided("esimka", "technical_failure", request=asked | {"completed_at": "2026-11-24T23:59:59+04:00"})
    assert later.deadlines.decide_by == datetime(2026, 12, 8, 20, tzinfo=UTC)
    assert decided("esimka", "technical_failure", request={"provided": []}).deadlines.decide_by is None
    for storefront in ("qazaq-esim", "e-sim-onl"):
        assert decided(storefront, "other").deadlines.decide_by is None


def test_no_money_is_promised_before_an_approval(decided: Decide) -> None:
    deadlines = decided("esimka", "lost_code", profile=fresh("2026-11-10T12:00:00+05:00", used_bytes=1)).deadlines
    assert (deadlines.pay_by, deadlines.credited_by, deadlines.restore_by) == (None, None, None)


BERLIN = Calendar(ZoneInfo("Europe/Berlin"), "DE")


@pytest.mark.parametrize(
    ("moment", "days", "end"),
    [
        # Clocks go forward on 29 March 2026 and back on 25 October: a day is 23 or 25 hours long, and one day.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), 1, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 3, 27, 23, 30, tzinfo=UTC), 1, datetime(2026, 3, 29, 22, tzinfo=UTC)),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), 1, datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (datetime(2026, 10, 24, 21, 59, tzinfo=UTC), 0, datetime(2026, 10, 24, 22, tzinfo=UTC)),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 0, datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), 0, datetime(2027, 1, 1, 23, tzinfo=UTC)),
    ],
)
def test_days_end_at_midnight_also_when_clocks_change(moment: datetime, days: int, end: datetime) -> None:
    assert BERLIN.after_calendar_days(moment, days) == end
    assert BERLIN.last_day(end) == BERLIN.day(end) - timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "country", "day", "count", "last"),
    [
        ("Asia/Almaty", "KZ", date(2026, 12, 31), 1, date(2027, 1, 5)),  # 4 January: New Year, moved from Sunday
        ("Asia/Almaty", "KZ", date(2026, 3, 20), 1, date(2026, 3, 26)),  # Nauryz and its days moved
        ("Asia/Tbilisi", "GE", date(2026, 12, 31), 3, date(2027, 1, 6)),
        ("Asia/Tbilisi", "GE", date(2026, 4, 8), 1, date(2026, 4, 14)),  # Easter
        ("UTC", None, date(2026, 12, 31), 1, date(2027, 1, 1)),
    ],
)
def test_business_days_skip_public_holidays(zone: str, country: str | None, day: date, count: int, last: date) -> None:
    calendar = Calendar(ZoneInfo(zone), country)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone))
    assert calendar.last_day(calendar.after_business_days(noon, count)) == last
