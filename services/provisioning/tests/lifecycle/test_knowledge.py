"""Knowledge from reports in any order, and the schedule of queries."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.clients.reports import Report, is_eid
from provisioning.lifecycle.models.knowledge import Facts, Known, Verdict
from provisioning.lifecycle.models.profile import QueryCourse
from provisioning.lifecycle.rules.judgement import judge
from provisioning.lifecycle.rules.polling import ends_at, interval, next_query_at
from shared.testing.documents import FieldValue, JsonObject

SOLD = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW = SOLD + timedelta(days=3)
SKEW = timedelta(minutes=5)
EID, OTHER_EID = "89049032123451234512345678901235", "89049032000001000000000012345652"


def at(hours: float) -> datetime:
    return SOLD + timedelta(hours=hours)


def report(hours: float, **fields: FieldValue) -> Report:
    return Report("feed", at(hours), **fields)


def known_of(reports: Iterable[Report]) -> Known:
    known = Known()
    for report in reports:
        known, _ = judge(known, report, now=NOW, sold_at=SOLD, skew=SKEW)
    return known


def facts_of(*reports: Report) -> Facts:
    return known_of(reports).facts


def verdicts(*reports: Report) -> list[Verdict]:
    known, found = Known(), []
    for report in reports:
        known, verdict = judge(known, report, now=NOW, sold_at=SOLD, skew=SKEW)
        found.append(verdict)
    return found


def test_the_check_digits_of_an_eid() -> None:
    assert is_eid(EID)
    assert is_eid(OTHER_EID)
    assert not is_eid(EID[:-1] + "4")
    assert not is_eid(EID[:-1])
    assert not is_eid("٨" * 32)


def test_a_whole_life() -> None:
    facts = facts_of(
        report(1, install="released"),
        report(2, install="downloaded", eid=EID),
        report(3, install="installed", eid=EID),
        report(4, install="enabled", eid=EID),
        report(5, used_bytes=0, total_bytes=100),
        report(6, used_bytes=50, total_bytes=100, first_use_at=at(5.5)),
        report(7, install="disabled", eid=EID),
    )
    assert (facts.install.state, facts.install.source, facts.install.observed_at) == ("disabled", "feed", at(7))
    assert (facts.usage.used_bytes, facts.usage.total_bytes, facts.usage.observed_at) == (50, 100, at(6))
    assert (facts.downloaded_at, facts.installed_at) == (at(2), at(3))
    assert (facts.activated_at, facts.first_use_at) == (at(4), at(5.5))
    assert facts.plan_ends_at(30) == at(5.5) + timedelta(days=30)
    assert (facts.eid, facts.deleted_at, facts.taken) == (EID, None, True)


def test_unknown_is_not_unused() -> None:
    facts = facts_of(report(1, install="released"))
    assert facts.usage.used_bytes is None
    assert facts.usage.observed_at is None
    assert facts_of(report(1, used_bytes=0)).usage.used_bytes == 0
    assert facts_of(report(1, used_bytes=0)).activated_at is None
    assert facts_of(report(1, used_bytes=1)).activated_at == at(1)
    assert facts_of(report(1, used_bytes=0)).install.state == "unknown"


def test_a_scanned_code_is_a_fact_of_its_own() -> None:
    assert facts_of(report(1, install="released")).downloaded_at is None
    assert facts_of(report(1, used_bytes=5)).downloaded_at is None
    assert facts_of(report(2, install="downloaded"), report(1, install="released")).downloaded_at == at(2)
    assert facts_of(report(3, install="enabled", install_since=at(2.5))).downloaded_at == at(2.5)


def test_knowledge_stored_before_downloads_were_kept_reads_as_it_was() -> None:
    old = {"by_device": {"": {"install": "downloaded", "taken": [at(3).isoformat(), 2]}}}
    assert Known.model_validate(old).facts.downloaded_at == at(3)
    released = {"by_device": {"": {"install": "released", "install_at": at(3).isoformat()}}}
    assert Known.model_validate(released).facts.downloaded_at is None


def test_what_was_deleted_had_been_installed() -> None:
    facts = facts_of(report(2, install="deleted", eid=EID))
    assert (facts.installed_at, facts.deleted_at, facts.activated_at) == (at(2), at(2), None)
    assert facts_of(report(2, install="deleted"), report(3, install="installed")).install.state == "deleted"


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (report(2, install="installed"), report(3, install="released"), Verdict.STALE),
        (report(2, install="enabled", install_since=at(0)), report(1, install="disabled"), Verdict.STALE),
        (report(2, install="enabled"), report(1, install="disabled"), Verdict.APPLIED),  # installed earlier than known
        (report(2, install="enabled"), report(3, install="disabled"), Verdict.APPLIED),
        (report(2, used_bytes=10), report(3, used_bytes=9), Verdict.BACKWARDS),
        (report(2, used_bytes=10), report(1, used_bytes=9), Verdict.APPLIED),  # first use was earlier than known
        (report(2, used_bytes=10, first_use_at=at(0)), report(1, used_bytes=9), Verdict.STALE),
        (report(2, used_bytes=10), report(3, used_bytes=10), Verdict.CONFIRMED),
        (report(2, used_bytes=10), report(2, used_bytes=10), Verdict.KNOWN),
        (report(2, install="installed"), report(3), Verdict.NOTED),
        (report(2, install="installed"), report(3, install="installed", eid=EID), Verdict.CONFIRMED),
        (report(2, install="installed", eid=EID), report(3, install="enabled", eid=OTHER_EID), Verdict.OTHER_DEVICE),
        (report(2, install="installed", eid=EID), report(3, eid=OTHER_EID, failed=True), Verdict.OTHER_DEVICE),
        (report(2, install="released"), report(3, eid=EID, failed=True), Verdict.FAILED_STEP),
        (report(2, install="released"), report(3, install="installed", eid=EID[:-1] + "1"), Verdict.APPLIED),
        (report(2, install="released"), report(3, install="installed", eid="12"), Verdict.APPLIED),
        (report(2), report(72.2, install="installed"), Verdict.FUTURE),
        (report(2), report(3, used_bytes=1, first_use_at=at(80)), Verdict.APPLIED),  # it was used, some time
        (report(2), report(72.05, install="installed"), Verdict.APPLIED),  # within the tolerance
        (report(2), report(-1, install="installed"), Verdict.IMPLAUSIBLE),
        (report(2), report(3, used_bytes=1, first_use_at=at(-300)), Verdict.APPLIED),
        (report(2), report(3, install="released", install_since=at(-300)), Verdict.APPLIED),  # from the pool
    ],
)  # fmt: skip
def test_what_a_report_is_worth(first: Report, second: Report, verdict: Verdict) -> None:
    before, _ = judge(Known(), first, now=NOW, sold_at=SOLD, skew=SKEW)
    after, found = judge(before, second, now=NOW, sold_at=SOLD, skew=SKEW)
    assert found == verdict
    changes = after.facts.differs(before.facts)
    assert changes is (verdict == Verdict.APPLIED)
    assert (after.facts != before.facts) is (verdict in {Verdict.APPLIED, Verdict.CONFIRMED})


def test_the_first_device_counts_also_when_its_report_comes_last() -> None:
    late = [report(5, install="enabled", eid=OTHER_EID), report(2, install="installed", eid=EID)]
    assert facts_of(*late) == facts_of(*reversed(late))
    assert facts_of(*late).eid == EID
    assert facts_of(*late).install.state == "installed"
    assert verdicts(*late) == [Verdict.APPLIED, Verdict.APPLIED]
    assert verdicts(*reversed(late)) == [Verdict.APPLIED, Verdict.OTHER_DEVICE]


def test_a_failed_step_binds_the_profile_to_no_device() -> None:
    facts = facts_of(report(1, eid=EID), report(2, install="downloaded", eid=OTHER_EID))
    assert (facts.eid, facts.install.state) == (OTHER_EID, "downloaded")


def test_which_device_was_first() -> None:
    attempt_before = [
        report(1, eid=OTHER_EID),
        report(2, install="downloaded", eid=EID),
        report(3, install="installed"),
    ]
    assert facts_of(*attempt_before, report(4, install="enabled", eid=OTHER_EID)).eid == EID
    same_second = [report(1, install="deleted", eid=OTHER_EID), report(1, install="downloaded", eid=EID)]
    assert facts_of(*same_second) == facts_of(*reversed(same_second))
    assert (facts_of(*same_second).eid, facts_of(*same_second).deleted_at) == (EID, None)


def test_the_later_end_of_the_plan_counts() -> None:
    assert facts_of(report(1, install="installed")).plan_ends_at(30) is None
    assert facts_of(report(1, install="enabled")).plan_ends_at(30) == at(1) + timedelta(days=30)
    assert facts_of(report(1, install="enabled", ends_at=at(2000))).plan_ends_at(30) == at(2000)
    assert facts_of(report(1, install="enabled", ends_at=at(2))).plan_ends_at(30) == at(1) + timedelta(days=30)
    assert facts_of(report(1, ends_at=at(2))).plan_ends_at(30) == at(2)


def test_a_moment_that_cannot_be_costs_nothing_beside_it() -> None:
    facts = facts_of(
        report(3, install="enabled", install_since=at(200), used_bytes=7, usage_at=at(-99), first_use_at=at(99))
    )
    assert (facts.install.state, facts.usage.used_bytes) == ("enabled", 7)
    assert (facts.installed_at, facts.first_use_at, facts.usage.observed_at) == (at(3), at(3), at(3))


def test_a_device_that_is_none_takes_no_profile() -> None:
    facts = facts_of(report(1, install="installed", eid="8" * 32), report(2, install="enabled", eid=EID))
    assert (facts.eid, facts.install.state, facts.installed_at) == (EID, "enabled", at(1))


def test_a_stored_number_beyond_all_plans_does_not_block_later_reports() -> None:
    stored = {"used_bytes": 2**70, "usage_source": "feed", "usage_at": at(1).isoformat(), "total_bytes": 2**70}
    known = Known.model_validate({"by_device": {"": stored}})
    assert (known.facts.usage.used_bytes, known.facts.usage.observed_at, known.facts.usage.total_bytes) == (None,) * 3
    after, verdict = judge(known, report(2, used_bytes=5, total_bytes=9), now=NOW, sold_at=SOLD, skew=SKEW)
    assert (verdict, after.facts.usage.used_bytes, after.facts.usage.total_bytes) == (Verdict.APPLIED, 5, 9)


moments = st.integers(-3, 80).map(at)
reports = st.builds(
    Report,
    source=st.sampled_from(["feed", "es2plus-notification"]),
    at=moments,
    install=st.sampled_from(["unknown", "released", "downloaded", "installed", "enabled", "disabled", "deleted"]),
    install_since=st.none() | moments,
    used_bytes=st.none() | st.integers(0, 3),
    total_bytes=st.none() | st.integers(3, 5),
    usage_at=st.none() | moments,
    first_use_at=st.none() | moments,
    ends_at=st.none() | moments,
    eid=st.sampled_from([None, EID, OTHER_EID, "1"]),
    failed=st.booleans(),
)


@given(st.lists(reports, max_size=12), st.data())
def test_the_same_reports_in_any_order_amount_to_the_same(some: list[Report], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(some))) if some else []
    shuffled = data.draw(st.permutations([*some, *again]))
    known = known_of(some)
    assert known_of(shuffled) == known
    assert Known.model_validate_json(known.model_dump_json()) == known
    assert known.facts.usage.used_bytes in {None, *(one.used_bytes for one in some)}


@given(st.lists(reports, max_size=8))
def test_no_knowledge_is_lost(some: list[Report]) -> None:
    known, before = Known(), Facts()
    for report in some:
        known, _ = judge(known, report, now=NOW, sold_at=SOLD, skew=SKEW)
        facts = known.facts
        if facts.eid == before.eid:
            assert (facts.usage.used_bytes or 0) >= (before.usage.used_bytes or 0)
            assert before.deleted_at is None or facts.deleted_at is not None
        before = facts


# --- when to look again -----------------------------------------------------------------------------------------------

FRESH = QueryCourse("order", SOLD, SOLD + timedelta(days=180))


def later(**changes: FieldValue) -> QueryCourse:
    return replace(FRESH, **changes)


@pytest.mark.parametrize(
    ("age", "changes", "every"),
    [
        (timedelta(0), {}, timedelta(minutes=20)),
        (timedelta(hours=3), {}, timedelta(hours=2)),
        (timedelta(days=2), {}, timedelta(hours=8)),
        (timedelta(days=10), {}, timedelta(days=1)),
        (timedelta(days=100), {}, timedelta(days=7)),
        (timedelta(days=100), {"activated_at": at(2000)}, timedelta(hours=8)),
        (timedelta(days=100), {"disputed_at": SOLD + timedelta(days=98)}, timedelta(minutes=20)),
        (timedelta(days=100), {"disputed_at": SOLD + timedelta(days=90)}, timedelta(days=7)),
        (timedelta(0), {"ended": True}, None),
        (timedelta(0), {"observable": False}, None),
        (timedelta(0), {"ended": True, "disputed_at": SOLD}, None),
    ],
)
def test_the_interval_of_queries(age: timedelta, changes: JsonObject, every: timedelta | None) -> None:
    course = later(**changes)
    now = SOLD + age
    assert interval(course, now) == every
    due = next_query_at(course, now)
    if every is None:
        assert due == (None if course.ended else course.valid_until)
    else:
        assert due is not None
        assert now + every <= due <= now + every * 1.1


def test_a_profile_is_due_when_its_time_is_over() -> None:
    assert next_query_at(FRESH, SOLD + timedelta(days=179)) == FRESH.valid_until
    running = later(activated_at=at(1), plan_ends_at=at(24 * 30))
    assert ends_at(running) == at(24 * 30)
    assert next_query_at(running, at(24 * 30 - 1)) == at(24 * 30)
    assert next_query_at(running, at(24 * 31)) == at(24 * 31)
    assert ends_at(later(activated_at=at(1))) is None


def test_queries_are_few_and_spread() -> None:
    queries, due = 0, next_query_at(FRESH, SOLD)
    while due is not None and due < SOLD + timedelta(days=180):
        queries, due = queries + 1, next_query_at(FRESH, due)
    assert 30 < queries < 90
    times = {next_query_at(later(key=str(number)), SOLD) for number in range(100)}
    assert len(times) > 90
