"""Decides when an operator is queried about a profile: often while it is new or disputed, never after its end."""

import zlib
from datetime import datetime, timedelta

from provisioning.lifecycle.models.profile import QueryCourse

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
#: (age, interval): until that age the operator is queried at that interval. Airalo renews its usage every 20 minutes.
_FRESH: tuple[tuple[timedelta, timedelta], ...] = (
    (2 * _HOUR, 20 * _MINUTE),
    (_DAY, 2 * _HOUR),
    (7 * _DAY, 8 * _HOUR),
    (30 * _DAY, _DAY),
)
_RARELY = 7 * _DAY
_IN_USE = 8 * _HOUR
_IN_DISPUTE, _DISPUTE_LASTS = 20 * _MINUTE, 3 * _DAY
#: Intervals are longer by up to a tenth, so that profiles sold together are not queried together.
_SPREAD = 10


def ends_at(course: QueryCourse) -> datetime | None:
    """When the profile expires: at the plan's end once it runs, or after 180 days without activation (RC 7)."""
    return course.valid_until if course.activated_at is None else course.plan_ends_at


def interval(course: QueryCourse, now: datetime) -> timedelta | None:
    """How long to wait between two queries; None where the operator is not queried (any more)."""
    if course.ended or not course.observable:
        return None
    if course.disputed_at is not None and now - course.disputed_at < _DISPUTE_LASTS:
        return _IN_DISPUTE
    age = now - course.generated_at
    fresh = next((every for until, every in _FRESH if age < until), _RARELY)
    return min(fresh, _IN_USE) if course.activated_at is not None else fresh


def next_query_at(course: QueryCourse, now: datetime) -> datetime | None:
    """When the profile is due again: for a query, to announce its end, or because it expires. None: never again."""
    if course.ended:
        return None
    every, end = interval(course, now), ends_at(course)
    queries = [] if every is None else [now + every + every / _SPREAD * _fraction(course.key)]
    ends = [max(moment, now) for moment in (end, course.announce_at) if moment is not None]
    return min((*queries, *ends), default=None)


def _fraction(key: str) -> float:
    """The same number between 0 and 1 for the same profile."""
    return zlib.crc32(key.encode()) / 2**32
