"""The base of all values of a shop's files, and versions that take effect at a moment."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Protocol, TypeVar

from pydantic import BaseModel, ConfigDict

_EVER = datetime.min.replace(tzinfo=UTC)


class Entry(BaseModel):
    """Part of a shop's file. Unknown fields are refused, because they are usually typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Version(Protocol):
    """Something that takes effect at a moment; None: it always was in force."""

    @property
    def effective_from(self) -> datetime | None: ...


V = TypeVar("V", bound=Version)


def start_of(version: Version) -> datetime:
    """The moment from which it is in force, in UTC."""
    return version.effective_from or _EVER


def in_force(versions: Iterable[V], at: datetime) -> V | None:
    """The version that began last before or at that moment; None before the first. The versions may be in any order."""
    return max((one for one in versions if start_of(one) <= at), key=start_of, default=None)


def wrong_starts(versions: Sequence[Version], *, since_ever: bool) -> str | None:
    """Why these versions cannot follow one another, or None. `since_ever`: the first must begin at no moment."""
    starts = sorted(start_of(one) for one in versions)
    for earlier, later in pairwise(starts):
        if earlier == later:
            when = "at no moment" if earlier == _EVER else f"at {earlier.isoformat()}"
            return f"two versions begin {when}"
    if since_ever and starts and starts[0] != _EVER:
        return "the first version has none, so that there always is one in force"
    return None
