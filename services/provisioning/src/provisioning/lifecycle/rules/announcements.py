"""Decides when the end of an eSIM is announced: some calendar days before, in the storefront's time zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from provisioning.lifecycle.models.notices import Announcement, EndReason, NoticePeriods
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.lifecycle.rules.polling import ends_at
from shared.days import local_day

_MOMENT = timedelta(microseconds=1)
#: A short plan is announced in its last quarter: a warning right after the first use would tell nothing.
_LAST_PART = 4


def announcement(profile: IssuedProfile, zone: ZoneInfo, periods: NoticePeriods) -> Announcement | None:
    """The announcement of the profile's end; None where there is none (any more), or that day is announced already.

    A top-up that moves the end to a later day makes another announcement. A refunded profile has none.
    """
    course = profile.course()
    end = ends_at(course)
    if course.ended or profile.refunded_at is not None or end is None:
        return None
    unused = course.activated_at is None
    reason: EndReason = "never_activated" if unused else "plan_ended"
    last_day = local_day(end - _MOMENT, zone)
    announced = profile.announced_end
    if announced is not None and profile.announced_for == reason and local_day(announced - _MOMENT, zone) >= last_day:
        return None
    length = end - profile.generated_at if unused else timedelta(days=profile.validity_days)
    days = periods.unused_days if unused else periods.plan_days
    return Announcement(reason, end, last_day, max(_days_before(end, days, zone), end - length / _LAST_PART))


def _days_before(end: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same time of day, that many calendar days earlier: not 24 hours each, where clocks change."""
    return (end.astimezone(zone) - timedelta(days=days)).astimezone(UTC)
