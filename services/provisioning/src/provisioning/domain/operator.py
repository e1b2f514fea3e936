"""Operators behind one small protocol: whichever it is, an order ends in one of four ways."""

from dataclasses import dataclass
from typing import Protocol

from shared.contracts import OperatorStatus

Statuses = tuple[OperatorStatus, ...]


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """What is asked of an operator. Chosen and stored before the first call; every repetition says the same."""

    iccid: str
    matching_id: str
    profile_type: str


@dataclass(frozen=True, slots=True)
class Made:
    """There is a profile, ready to be downloaded by whoever holds the code."""

    smdp_address: str
    matching_id: str
    confirmation_code: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """There will be no profile from this operator. `left_behind`: something is reserved there and must be withdrawn."""

    reason: str
    statuses: Statuses = ()
    stock_out: bool = False
    left_behind: bool = False


@dataclass(frozen=True, slots=True)
class NotNow:
    """The operator surely did nothing."""

    reason: str
    statuses: Statuses = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """The operator may have done something; the same order is to be repeated."""

    reason: str
    statuses: Statuses = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Nobody can use that profile (any more). `how` says how we know."""

    how: str


class Operator(Protocol):
    """One operator. Methods never raise for what the other side does, and `trace` is the traceparent to continue."""

    name: str

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Made | Refused | NotNow | Unknown:
        """Have the profile made. Safe to repeat with the same order."""
        ...

    async def withdraw(self, wanted: ProfileOrder, *, trace: str | None) -> Withdrawn | Refused | NotNow | Unknown:
        """Make sure that nobody can use what may have been made. Safe to repeat."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


def in_words(statuses: Statuses) -> str:
    """`8.2.1/3.3, 8.2.5/3.9`, for sentences."""
    return ", ".join(f"{status.subject_code}/{status.reason_code}" for status in statuses)
