"""What is published about a profile before it needs a top-up: thresholds of used data, and ends that approach."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from shared.contracts.base import Value

EndReason = Literal["never_activated", "plan_ended"]


class PublishedThreshold(Value):
    """A threshold of used data that was published, with the total and the data of top-ups by then, in bytes."""

    percent: int
    total_bytes: int
    extra_bytes: int


@dataclass(frozen=True, slots=True)
class TopUpState:
    """The data of all applied top-ups, in bytes, and when the last one was applied (None: none was, or long ago)."""

    extra_bytes: int = 0
    extended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticePeriods:
    """How many calendar days before its last day an end is announced: of an unused eSIM, and of a plan."""

    unused_days: int
    plan_days: int


@dataclass(frozen=True, slots=True)
class Announcement:
    """An end that is to be announced from `due_at` on. `ends_on`: the last day, in the storefront's time zone."""

    reason: EndReason
    ends_at: datetime
    ends_on: date
    due_at: datetime
