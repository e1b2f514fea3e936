"""I15: over any interleaving of operators' messages, what nobody reported never appears in `profile-observed`.

The messages are written in the operators' own words, some of them garbage. What may appear is worked out here from the
words alone, by another and coarser rule than the service's.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.clients.airalo import messages as airalo
from provisioning.clients.es2plus.notifications import read_notification
from provisioning.clients.feed.messages import read_report
from provisioning.clients.models import ProfileStatus, UsageReport
from provisioning.clients.reports import Report
from provisioning.lifecycle.models.knowledge import Known
from provisioning.lifecycle.observation import observed
from provisioning.lifecycle.operator_queries import report_of
from provisioning.lifecycle.rules.judgement import judge
from shared.contracts import Plan, ProfileObserved
from shared.testing.documents import Json, JsonObject
from shared.testing.garbage import EXAMPLES, MISSING

if TYPE_CHECKING:
    from services.provisioning.tests.lifecycle.conftest import IssueProfile

ICCID, EID, OTHER_EID = "8999702000000000018", "89049032123451234512345678901235", "89049032000001000000000012345652"
SOLD = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOW, SKEW = SOLD + timedelta(days=3), timedelta(minutes=5)
PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
_TAKEN = ("downloaded", "installed", "enabled", "disabled", "deleted")
_INSTALLED = _TAKEN[1:]


def _times() -> st.SearchStrategy[str]:
    return st.integers(0, 71).map(lambda hours: (SOLD + timedelta(hours=hours)).isoformat())


def _perhaps(values: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """A value, none, or garbage."""
    return st.one_of(values, values, st.sampled_from(EXAMPLES))


def _message(**fields: st.SearchStrategy[object]) -> st.SearchStrategy[JsonObject]:
    drawn = st.fixed_dictionaries({name: _perhaps(values) for name, values in fields.items()})
    return drawn.map(lambda one: {name: value for name, value in one.items() if value is not MISSING})


EIDS = st.sampled_from([EID, OTHER_EID, EID[:-1] + "1"])
NOTIFICATIONS = _message(
    timestamp=_times(),
    notificationPointId=st.sampled_from([1, 2, 3, 4, 5, "enabled", "disabled", "vendor-9"]),
    notificationPointStatus=st.sampled_from(["Executed-Success", "executed-withwarning", "Failed", "?"]).map(
        lambda status: {"status": status}
    ),
    eid=EIDS,
)
FEEDS = _message(
    observedAt=_times(),
    installState=st.sampled_from(["not-installed", "released", *_TAKEN, "unknown", "reserved", "NotInstalled"]),
    installStateAt=_times(),
    usedBytes=st.integers(0, 3),
    usedBytesAt=_times(),
    totalBytes=st.integers(3, 5),
    firstUseAt=_times(),
    validUntil=_times(),
    eid=EIDS,
)
USAGES = _message(
    remaining=st.integers(0, 3),
    total=st.integers(0, 3),
    is_unlimited=st.booleans(),
    expired_at=_times(),
    status=st.sampled_from(["NOT_ACTIVE", "ACTIVE", "FINISHED", "UNKNOWN", "EXPIRED", "RECYCLED", "PAUSED"]),
)
#: Which wire it came by, and the message; "silence" is an operator without a feed.
MESSAGES: st.SearchStrategy[tuple[str, JsonObject]] = st.one_of(
    st.tuples(st.just("notification"), NOTIFICATIONS),
    st.tuples(st.just("feed"), FEEDS),
    st.tuples(st.just("airalo"), USAGES),
    st.tuples(st.just("silence"), st.just({})),
)


def report(wire: str, message: JsonObject) -> Report | None:
    """As the service reads it."""
    if wire == "notification":
        read = read_notification(json.dumps(message | {"iccid": ICCID}).encode(), {}, set())
        return read.report(NOW) if read else None
    if wire == "airalo":
        answer = airalo.read_usage(json.dumps({"data": message}).encode(), NOW, set())
        return report_of(ProfileStatus(answer.install), answer.report, now=NOW) if answer else None
    status = read_report(json.dumps(message | {"iccid": ICCID}).encode(), ICCID, set()) if wire == "feed" else None
    return report_of(status, status.usage, now=NOW) if status and isinstance(status.usage, UsageReport) else None


def event(profile: "IssueProfile", messages: list[tuple[str, JsonObject]]) -> ProfileObserved:
    """What is published after all of them."""
    known = Known()
    for one in messages:
        parsed = report(*one)
        if parsed is not None:
            known, _ = judge(known, parsed, now=NOW, sold_at=SOLD, skew=SKEW)
    return observed(profile(known=known, iccid=ICCID), NOW)


def words(wire: str, message: JsonObject) -> set[str]:
    """The states that a message names, in its own words."""
    if wire == "feed":
        state = str(message.get("installState")).lower().replace("-", "")
        return {"released"} if state in ("notinstalled", "released") else {state} & set(_TAKEN)
    if wire == "airalo":
        return {"ACTIVE": {"enabled"}, "FINISHED": {"installed"}}.get(str(message.get("status")), set())
    status = message.get("notificationPointStatus")
    if wire != "notification" or "executed-" not in str(status).lower():
        return set()
    points = {"3": "downloaded", "4": "installed", "5": "deleted", "enabled": "enabled", "disabled": "disabled"}
    return {points[str(message.get("notificationPointId"))]} & set(_TAKEN) if _names(points, message) else set()


def _names(points: dict[str, str], message: JsonObject) -> bool:
    return str(message.get("notificationPointId")) in points


def numbers(wire: str, message: JsonObject) -> set[int]:
    """The bytes that a message can be read to say."""
    if wire == "feed" and type(message.get("usedBytes")) is int:
        return {message["usedBytes"]}
    total: Json = message.get("total")
    remaining: Json = message.get("remaining")
    if wire == "airalo" and _is_number(total) and _is_number(remaining):
        return {int((total - remaining) * 2**20)} if 0 <= remaining <= total < 2**60 else set()
    return set()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def moments(wire: str, message: JsonObject) -> set[datetime]:
    """The times that a message names, and when it was received, which dates a value without a time."""
    named = {NOW}
    for value in message.values():
        try:
            named.add(datetime.fromisoformat(str(value)))
        except ValueError:
            continue
    return named


@settings(deadline=None, max_examples=400)
@given(st.lists(MESSAGES, max_size=8), st.data())
def test_values_that_were_not_reported_are_never_published(
    profile: "IssueProfile", messages: list[tuple[str, JsonObject]], data: st.DataObject
) -> None:
    published = event(profile, data.draw(st.permutations(messages)))
    states = set().union(*(words(*one) for one in messages))
    used = set().union(*(numbers(*one) for one in messages))
    times = set().union(*(moments(*one) for one in messages))
    assert published.install.state in states | {"unknown"}
    assert published.usage.used_bytes in used | {None}
    assert published.usage.used_bytes is None or published.usage.used_bytes >= 0
    assert published.downloaded_at is None or states & set(_TAKEN)
    assert published.installed_at is None or states & set(_INSTALLED)
    assert published.deleted_at is None or "deleted" in states
    started = any(number > 0 for number in used) or any("firstUseAt" in message for _, message in messages)
    assert published.activated_at is None or started or states & {"enabled", "installed"}
    for moment in (published.downloaded_at, published.installed_at, published.activated_at, published.deleted_at):
        assert moment is None or moment in times
    for fact in (published.install, published.usage):
        assert fact.observed_at is None or fact.observed_at in times
    if published.install.state == "unknown":
        assert (published.install.source, published.install.observed_at) == (None, None)
    if published.usage.used_bytes is None:
        assert published.usage.observed_at is None


@given(st.lists(st.just(("silence", {})) | st.tuples(st.just("notification"), st.just({"eid": EID})), max_size=5))
def test_without_reports_everything_is_unknown(profile: "IssueProfile", messages: list[tuple[str, JsonObject]]) -> None:
    published = event(profile, messages)
    assert (published.install.state, published.usage.used_bytes, published.usage.total_bytes) == ("unknown", None, None)
    moments = (published.downloaded_at, published.installed_at, published.activated_at, published.deleted_at)
    assert moments == (None,) * 4


def test_not_active_does_not_prove_that_no_phone_has_the_profile(profile: "IssueProfile") -> None:
    """NOT_ACTIVE is about the network: a phone may hold the profile."""
    published = event(
        profile, [("airalo", {"status": "NOT_ACTIVE", "total": 1024, "remaining": 1024, "is_unlimited": False})]
    )
    assert (published.install.state, published.usage.used_bytes) == ("unknown", 0)
    after = [("notification", _point(4)), ("airalo", {"status": "NOT_ACTIVE", "total": 1024, "remaining": 1024})]
    assert event(profile, after).install.state == "installed"


def _point(point: int) -> JsonObject:
    at = (SOLD + timedelta(hours=1)).isoformat()
    return {"timestamp": at, "notificationPointId": point, "notificationPointStatus": {"status": "Executed-Success"}}
