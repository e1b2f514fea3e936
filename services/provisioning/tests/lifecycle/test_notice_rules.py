"""Which thresholds of used data are published, and when the end of an eSIM is announced."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.clients.reports import Report
from provisioning.lifecycle.models.knowledge import Known
from provisioning.lifecycle.models.notices import NoticePeriods, PublishedThreshold, TopUpState
from provisioning.lifecycle.rules.announcements import announcement
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import next_query_at
from provisioning.lifecycle.rules.thresholds import THRESHOLDS, lacks_total, newly_reached
from shared.contracts import Plan, Usage
from shared.testing.documents import FieldValue, JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import IssueProfile

SOLD = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW = SOLD + timedelta(days=3)
SKEW = timedelta(minutes=5)
PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
ALMATY, BERLIN = ZoneInfo("Asia/Almaty"), ZoneInfo("Europe/Berlin")
PERIODS = NoticePeriods(unused_days=14, plan_days=2)
TOTAL = 1000

minutes = st.integers(1, 2000)
used = st.none() | st.integers(0, 1500)


def at(minute: float) -> datetime:
    return SOLD + timedelta(minutes=minute)


def reported(minute: int, used_bytes: int | None, total_bytes: int | None = TOTAL) -> Report:
    return Report("feed", at(minute), used_bytes=used_bytes, total_bytes=total_bytes, usage_at=at(minute))


class Esim:
    """An eSIM whose reports are recorded one after the other, as the service does it."""

    def __init__(self) -> None:
        self.known = Known()
        self.top_ups = TopUpState()
        self.published: list[PublishedThreshold] = []

    def report(self, report: Report) -> None:
        self.known, _ = judge(self.known, report, now=NOW, sold_at=SOLD, skew=SKEW)
        self._check()

    def top_up(self, minute: int, more: int) -> None:
        """A top-up that the operator confirms with the new total."""
        self.top_ups = TopUpState(self.top_ups.extra_bytes + more, at(minute))
        self.report(Report("top-up", at(minute), total_bytes=TOTAL + self.top_ups.extra_bytes))

    def _check(self) -> None:
        facts = self.known.facts
        reached = newly_reached(facts.usage, facts.total_at, self.top_ups, self.published)
        for one in reached:
            assert (facts.usage.used_bytes or 0) * 100 >= one.percent * one.total_bytes
        self.published += reached

    @property
    def percents(self) -> list[int]:
        return [one.percent for one in self.published]


@given(st.lists(st.tuples(minutes, used), max_size=12), st.data())
def test_each_threshold_is_published_once_whatever_the_order_and_the_repetition(
    reports: Sequence[tuple[int, int | None]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations([*reports, *reports]))
    esim = Esim()
    for report in shuffled:
        esim.report(reported(*report))
    most = max((one for _, one in reports if one is not None), default=0)
    assert sorted(esim.percents) == [percent for percent in THRESHOLDS if most * 100 >= percent * TOTAL]


@given(st.lists(st.tuples(minutes, used, st.none() | st.integers(0, 2000)), max_size=20))
def test_totals_that_sources_round_differently_publish_nothing_twice(
    reports: Sequence[tuple[int, int | None, int | None]],
) -> None:
    esim = Esim()
    for report in reports:
        esim.report(reported(*report))
    assert len(set(esim.percents)) == len(esim.percents)


@given(st.lists(st.sampled_from(["use", "top up", "repeat", "late"]) | st.integers(0, 400), max_size=30))
def test_a_top_up_arms_the_thresholds_again_and_nothing_else_does(steps: Sequence[str | int]) -> None:
    esim, minute, consumed, reports = Esim(), 1, 0, [reported(1, 0)]
    for step in steps:
        minute += 10
        if step == "top up":
            esim.top_up(minute, 500)
        elif step in ("repeat", "late"):
            esim.report(reports[-1 if step == "repeat" else 0])
        else:
            consumed += step if isinstance(step, int) else 100
            reports.append(reported(minute, consumed, TOTAL + esim.top_ups.extra_bytes))
            esim.report(reports[-1])
    keys = [(one.percent, one.extra_bytes) for one in esim.published]
    assert len(set(keys)) == len(keys)
    for percent in THRESHOLDS:
        totals = [one.total_bytes for one in esim.published if one.percent == percent]
        assert totals == sorted(set(totals))


def test_a_top_up_raises_the_total_and_the_same_share_is_published_again() -> None:
    esim = Esim()
    esim.report(reported(1, 800))
    esim.top_up(2, 1000)
    esim.report(reported(3, 1000, 2000))
    assert esim.percents == [80]
    esim.report(reported(4, 2000, 2000))
    assert [(one.percent, one.total_bytes) for one in esim.published] == [(80, 1000), (80, 2000), (100, 2000)]


def test_a_total_of_before_a_top_up_reaches_nothing() -> None:
    """The operator did not confirm a total, and a late report carries the old one."""
    esim = Esim()
    esim.report(reported(1, 500))
    esim.top_ups = TopUpState(1000, at(5))
    esim.report(reported(4, 1000))
    assert esim.percents == []
    esim.report(reported(6, 1000, 2000))
    assert esim.percents == []
    esim.report(reported(7, 1600, 2000))
    assert esim.percents == [80]


@pytest.mark.parametrize(
    ("used_bytes", "total_bytes"), [(None, TOTAL), (TOTAL, None), (None, None), (0, 0), (TOTAL, 0), (799, TOTAL)]
)
def test_what_is_unknown_or_below_reaches_nothing(used_bytes: int | None, total_bytes: int | None) -> None:
    usage = Usage(used_bytes=used_bytes, total_bytes=total_bytes, observed_at=NOW)
    assert newly_reached(usage, NOW, TopUpState(), ()) == ()


def test_an_operator_is_queried_for_a_total_that_is_missing_once() -> None:
    some, none = Usage(used_bytes=5, observed_at=NOW), TopUpState()
    assert lacks_total(some, None, none, None)
    assert not lacks_total(some, None, none, at(1))
    assert not lacks_total(Usage(used_bytes=0, observed_at=NOW), None, none, None)
    assert not lacks_total(Usage(), None, none, None)
    assert not lacks_total(some, at(1), none, None)
    more = TopUpState(1000, at(5))
    assert lacks_total(some, at(1), more, at(4))
    assert not lacks_total(some, at(1), more, at(6))
    assert not lacks_total(some, at(5), more, at(4))


# --- ends -------------------------------------------------------------------------------------------------------------


def in_use(began: datetime, **fields: FieldValue) -> Known:
    return Known().learn(Report("feed", began, used_bytes=1, first_use_at=began, **fields))


def test_an_unused_esim_is_announced_two_weeks_before_its_last_day(profile: "IssueProfile") -> None:
    found = announcement(profile(), ALMATY, PERIODS)
    assert found is not None
    assert (found.reason, found.ends_on) == ("never_activated", date(2026, 10, 28))
    assert found.due_at == found.ends_at - timedelta(days=14)


def test_a_day_is_a_day_of_the_shop_where_its_clocks_change(profile: "IssueProfile") -> None:
    """In Berlin 25 October 2026 has 25 hours: two calendar days before noon is noon, and 49 hours."""
    noon = datetime(2026, 9, 26, 12, tzinfo=BERLIN)
    found = announcement(profile(known=in_use(noon.astimezone(UTC))), BERLIN, PERIODS)
    assert found is not None
    assert found.ends_at == noon.astimezone(UTC) + timedelta(days=30)
    assert found.due_at.astimezone(BERLIN).time() == found.ends_at.astimezone(BERLIN).time()
    assert found.ends_at - found.due_at == timedelta(hours=49)
    # The same end is another day in another shop's zone.
    late = in_use(datetime(2026, 6, 1, 20, tzinfo=UTC))
    days = [announcement(profile(known=late), zone, PERIODS) for zone in (ALMATY, BERLIN)]
    assert [one.ends_on.day for one in days if one] == [2, 1]


@pytest.mark.parametrize(("days", "before"), [(30, timedelta(days=2)), (4, timedelta(days=1)), (1, timedelta(hours=6))])
def test_a_short_plan_is_announced_in_its_last_quarter(profile: "IssueProfile", days: int, before: timedelta) -> None:
    short = PLAN.model_copy(update={"validity_days": days})
    found = announcement(profile(known=in_use(SOLD), plan=short), ALMATY, PERIODS)
    assert found is not None
    assert (found.reason, found.ends_at - found.due_at) == ("plan_ended", before)


def test_an_end_is_announced_once_and_again_only_for_a_later_day(profile: "IssueProfile") -> None:
    running = profile(known=in_use(SOLD))
    first = announcement(running, ALMATY, PERIODS)
    assert first is not None
    announced = replace(running, announced_end=first.ends_at, announced_for=first.reason)
    assert announcement(announced, ALMATY, PERIODS) is None
    # An operator that reports some minutes more names the same day.
    jitter = in_use(SOLD, ends_at=first.ends_at + timedelta(minutes=5))
    assert announcement(replace(announced, known=jitter), ALMATY, PERIODS) is None
    longer = announcement(replace(announced, extra_days=7), ALMATY, PERIODS)
    assert longer is not None
    assert longer.due_at == first.due_at + timedelta(days=7)
    # An unused eSIM was announced, and is then used: its plan has an end of its own.
    unused = replace(running, announced_end=running.valid_until, announced_for="never_activated")
    assert announcement(unused, ALMATY, PERIODS) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"revoked_at": NOW},
        {"expired_at": NOW},
        {"refunded_at": NOW},
        {"known": in_use(SOLD, install="deleted", install_since=NOW)},
    ],
)
def test_an_end_is_withdrawn_where_nothing_is_left_to_end(profile: "IssueProfile", changes: JsonObject) -> None:
    ended: dict[str, FieldValue] = {"known": in_use(SOLD)} | changes
    assert announcement(profile(**ended), ALMATY, PERIODS) is None


def test_a_profile_is_due_when_its_end_is_to_be_announced_even_if_nobody_is_queried(profile: "IssueProfile") -> None:
    silent = profile().course(observable=False, announce_at=at(60))
    assert next_query_at(silent, at(1)) == at(60)
    assert next_query_at(silent, at(61)) == at(61)
    assert next_query_at(replace(silent, announce_at=None), at(61)) == silent.valid_until
    assert next_query_at(replace(silent, ended=True), at(1)) is None
