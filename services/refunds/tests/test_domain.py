"""Decisions about failed generations, and the days they promise."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refunds.domain import CaseState, PaidOrder, case_state, decide_generation_failure
from refunds.domain.calendar import add_business_days, end_of, local_day
from refunds.domain.decision import amount_text
from shared.contracts import Money

FRIDAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MONEY = Money(amount=599050, currency="KZT")


def order(storefront: str, *, paid_at: datetime = FRIDAY, failed_at: datetime = FRIDAY) -> PaidOrder:
    return PaidOrder("10000001", storefront, MONEY, paid_at, failed_at)


@pytest.mark.parametrize(
    ("storefront", "policy", "clauses", "pay_by", "credited_by"),
    [
        ("qazaq-esim", "qazaq-esim@1", ["RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"], None, date(2026, 12, 4)),
        ("e-sim-onl", "e-sim-onl@2026-03", ["RC 1"], None, date(2026, 12, 4)),
        # 24:00 of 4 December in Tbilisi (UTC+4)
        ("esimka", "esimka@2026-04-22", ["RF 2.3"], datetime(2026, 12, 4, 20, tzinfo=UTC), date(2026, 12, 20)),
    ],
)
def test_a_failed_generation_returns_everything(
    storefront: str, policy: str, clauses: list[str], pay_by: datetime | None, credited_by: date
) -> None:
    decision = decide_generation_failure(order(storefront), FRIDAY)
    assert decision is not None
    assert decision.amount == MONEY
    assert decision.policy == policy
    assert [f"{ground.document} {ground.clause}" for ground in decision.grounds] == clauses
    assert (decision.pay_by, decision.credited_by) == (pay_by, credited_by)
    for text in (decision.explanation.en, decision.explanation.ru):
        assert "10000001" in text
        assert "5990.50 KZT" in text
        assert clauses[0].split()[1] in text
    assert any(limit in decision.explanation.en for limit in ("3-10", "5-10", "within 10 business days"))


def test_a_storefront_without_a_policy_is_for_a_person() -> None:
    assert decide_generation_failure(order("newcomer"), FRIDAY) is None


@pytest.mark.parametrize(
    ("storefront", "last", "first_late"),
    [
        # Almaty is UTC+5: paid on 20 November local time, day 14 ends on 4 December at 19:00 UTC.
        ("qazaq-esim", datetime(2026, 12, 4, 18, 59, 59, tzinfo=UTC), datetime(2026, 12, 4, 19, tzinfo=UTC)),
        ("e-sim-onl", datetime(2026, 12, 20, 23, 59, 59, tzinfo=UTC), datetime(2026, 12, 21, tzinfo=UTC)),
    ],
)
def test_the_last_day_counts_to_its_end(storefront: str, last: datetime, first_late: datetime) -> None:
    assert decide_generation_failure(order(storefront, failed_at=last), last) is not None
    assert decide_generation_failure(order(storefront, failed_at=first_late), first_late) is None


def test_esimka_sets_no_limit_to_its_own_delay() -> None:
    late = FRIDAY + timedelta(days=400)
    assert decide_generation_failure(order("esimka", failed_at=late), late) is not None


@given(
    storefront=st.sampled_from(["qazaq-esim", "e-sim-onl", "esimka"]),
    decided_at=st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is given beside
)
def test_promised_days_come_later_and_are_business_days(storefront: str, decided_at: datetime) -> None:
    decision = decide_generation_failure(order(storefront), decided_at)
    assert decision is not None
    assert decision.credited_by is not None
    assert decision.credited_by > decided_at.date() + timedelta(days=10)
    if storefront != "esimka":
        assert decision.credited_by.weekday() < 5
    if decision.pay_by is not None:
        assert timedelta(days=12) < decision.pay_by - decided_at <= timedelta(days=15)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2026, 11, 20), 1, date(2026, 11, 23)),
        (date(2026, 11, 21), 1, date(2026, 11, 23)),
        (date(2026, 11, 22), 5, date(2026, 11, 27)),
        (date(2026, 11, 23), 10, date(2026, 12, 7)),
        (date(2026, 12, 31), 1, date(2027, 1, 1)),
        (date(2026, 11, 20), 0, date(2026, 11, 20)),
    ],
)
def test_business_days_skip_weekends(day: date, count: int, expected: date) -> None:
    assert add_business_days(day, count) == expected


def test_days_are_those_of_the_seller() -> None:
    almaty = ZoneInfo("Asia/Almaty")
    assert local_day(datetime(2026, 11, 20, 19, 0, tzinfo=UTC), almaty) == date(2026, 11, 21)
    assert end_of(date(2026, 12, 31), almaty) == datetime(2026, 12, 31, 19, tzinfo=UTC)


def test_amounts_are_written_out() -> None:
    assert amount_text(Money(amount=5, currency="USD")) == "0.05 USD"


@pytest.mark.parametrize(
    ("verdict", "settled", "failed", "state"),
    [
        (None, None, None, CaseState.NEEDS_PERSON),
        ("approve", None, None, CaseState.PAYING),
        ("approve", None, FRIDAY, CaseState.NEEDS_PERSON),
        ("approve", FRIDAY, None, CaseState.SETTLED),
        ("approve", FRIDAY, FRIDAY, CaseState.SETTLED),
    ],
)
def test_a_case_is_where_its_facts_say(
    verdict: str | None, settled: datetime | None, failed: datetime | None, state: CaseState
) -> None:
    assert case_state(verdict, settled, failed) is state
