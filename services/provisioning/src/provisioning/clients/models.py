"""Operators behind one small protocol: whichever it is, a call ends in one of a few typed ways, and never raises.

Done (`Made`, `Cancelled`, ...), refused with codes (`Refused`), surely nothing happened (`NotNow`), or perhaps it did
(`Unknown`): the caller then repeats the very same thing with `uncertain`, which asks before it does anything again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shared.contracts import InstallStatus, OperatorStatus, Usage

Statuses = tuple[OperatorStatus, ...]


@dataclass(frozen=True, slots=True)
class Traits:
    """What an operator can do, and what it must be told.

    `repeatable`: ICCID and matching id are ours (ES2+), so the same order may be repeated without a second profile.
    Otherwise the adapter looks its order up by our order number before it repeats one that is `uncertain`.
    """

    repeatable: bool
    tops_up: bool = False
    reports_usage: bool = False
    #: Personal data that activation needs here (PP 5.2): of `name`, `email`, `phone`. A storefront must allow each.
    personal_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """What is asked of an operator. Chosen and stored before the first call; every repetition says the same.

    `profile_type` is the operator's own name of the plan. `iccid` and `matching_id` are None where the operator chooses
    them (`Traits.repeatable` is false). `uncertain`: an earlier try may have succeeded.
    """

    order_number: str
    profile_type: str
    iccid: str | None
    matching_id: str | None
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class ProfileRef:
    """A profile that was, or perhaps was, made at this operator.

    `iccid` None: its reply was lost; it is looked up by `order_number`. `delivered`: somebody else may know the code,
    so that "taken" may mean that a phone has it. `uncertain`: an earlier cancel may have succeeded.
    """

    order_number: str
    profile_type: str
    iccid: str | None
    matching_id: str | None
    delivered: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """More data and days for a profile, once. `order_number` is the top-up's own and names the effect."""

    order_number: str
    iccid: str
    profile_type: str
    data_mb: int
    validity_days: int
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """There is a profile, ready to be downloaded by whoever holds the code. `iccid` None: the one we asked for.

    `asks_confirmation_code`: the phone must ask for one, also where we were told none. `apn`: "" where phones find it
    themselves, None where the operator says nothing.
    """

    smdp_address: str
    matching_id: str
    confirmation_code: str | None = None
    iccid: str | None = None
    apn: str | None = None
    oid: str | None = None
    asks_confirmation_code: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """It will not be done here, however often we ask. `left_behind`: something is reserved and must be withdrawn.

    `in_use` (cancel): the profile is, or was, on a device.
    """

    reason: str
    statuses: Statuses = ()
    stock_out: bool = False
    left_behind: bool = False
    in_use: bool = False


@dataclass(frozen=True, slots=True)
class NotNow:
    """The operator surely did nothing. `asked` false: it was not even called (breaker open, rate used up, all busy).

    `retry_after`: seconds after which it is worth asking again, where that is known.
    """

    reason: str
    statuses: Statuses = ()
    retry_after: float | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Unknown:
    """The operator may have done something; the same is to be asked again, with `uncertain`.

    `answered`: it is well, and answered that nothing is to be seen yet; no ground to leave it alone.
    """

    reason: str
    statuses: Statuses = ()
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Nobody can use that profile (any more), for good. `how` says how we know.

    `never_made`: the operator has nothing of it yet. A call that is still on its way may change that.
    """

    how: str
    never_made: bool = False


@dataclass(frozen=True, slots=True)
class NotKnown:
    """The operator answered, and does not know (such a profile, or anything about it); or it never tells."""

    reason: str
    statuses: Statuses = ()


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What was used. Times are the source's own; None is unknown, never zero and never "not yet"."""

    usage: Usage
    first_used_at: datetime | None = None
    #: When the plan's validity ends, where the operator says so.
    ends_at: datetime | None = None
    #: The operator says that the plan is over (used up or expired).
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """Where the profile is. `usage`: what the same answer told, so that nobody need ask twice.

    `install.observed_at` may be when that state began; `known_at` is when the source said that it still is so.
    """

    install: InstallStatus
    eid: str | None = None
    usage: UsageReport | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ToppedUp:
    """Data and validity are extended. None: the operator does not say."""

    total_bytes: int | None = None
    ends_at: datetime | None = None


class Operator(Protocol):
    """One operator. Methods never raise for what the other side does; `trace` is the traceparent to continue."""

    name: str
    traits: Traits

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Made | Refused | NotNow | Unknown:
        """Have the profile made. Safe to repeat with the same order (and `uncertain`, where it may have been made)."""
        ...

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> Cancelled | Refused | NotNow | Unknown:
        """Make sure that nobody can use the profile, or what may have been made of it. Safe to repeat."""
        ...

    async def status(self, profile: ProfileRef, *, trace: str | None) -> ProfileStatus | NotKnown | NotNow:
        """Ask where the profile is."""
        ...

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> UsageReport | NotKnown | NotNow:
        """Ask what was used."""
        ...

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> ToppedUp | Refused | NotNow | Unknown:
        """Extend a profile, once per order number. Safe to repeat (with `uncertain`, where it may have been done)."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


def in_words(statuses: Statuses) -> str:
    """`8.2.1/3.3, 8.2.5/3.9`, for sentences."""
    return ", ".join(f"{status.subject_code}/{status.reason_code}" for status in statuses)
