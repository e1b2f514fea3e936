"""Calls to operators: what is requested, what comes back, and the protocol that each client of an operator fulfils.

A method never raises for what the operator does. It returns an outcome of `shared.outcomes`; the classes here add the
operator's status codes. After `Unknown` the caller repeats the same request with `uncertain`: the client then finds out
what the earlier call did before it calls again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias, TypeVar

from shared.contracts import InstallStatus, OperatorStatus, Usage
from shared.outcomes import Done, NotDue, NotSent, Refused, Unknown

Statuses = tuple[OperatorStatus, ...]
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Traits:
    """What an operator can do, and what it must be sent.

    `repeatable`: ICCID and matching id are ours (ES2+), so the same order may be repeated without a second profile.
    Otherwise the client queries its order by our order number before it repeats one that is `uncertain`.
    """

    repeatable: bool
    tops_up: bool = False
    reports_usage: bool = False
    #: Personal data that activation needs here (PP 5.2): of `name`, `email`, `phone`. A storefront must allow each.
    personal_fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ProfileOrder:
    """An order of one profile. It is chosen and stored before the first call; every repetition is the same.

    `profile_type` is the operator's own name of the plan. `iccid` and `matching_id` are None where the operator chooses
    them (`Traits.repeatable` is false). `uncertain`: an earlier attempt may have succeeded.
    """

    order_number: str
    profile_type: str
    iccid: str | None
    matching_id: str | None
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class ProfileRef:
    """A profile that was, or may have been, made at this operator.

    `iccid` None: the operator's reply was lost, and the profile is looked up by `order_number`. `delivered`: a buyer
    may have the activation code, so "taken" may mean that a phone has the profile. `uncertain`: an earlier cancellation
    may have succeeded.
    """

    order_number: str
    profile_type: str
    iccid: str | None
    matching_id: str | None
    delivered: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class TopUpOrder:
    """An order of more data and days for a profile. `order_number` is the top-up's own, and the key of the effect."""

    order_number: str
    iccid: str
    profile_type: str
    data_mb: int
    validity_days: int
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class OperatorProfile:
    """A profile at the operator, ready for download with its code. `iccid` None: the one that was requested.

    `asks_confirmation_code`: the phone asks for one, even where the operator sent us none. `apn`: "" where phones find
    it themselves, None where the operator does not report it.
    """

    smdp_address: str
    matching_id: str
    confirmation_code: str | None = None
    iccid: str | None = None
    apn: str | None = None
    oid: str | None = None
    asks_confirmation_code: bool = False


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Nobody can use the profile any more. `how` says which answer proves it.

    `never_made`: the operator has no such profile yet. A call that is still under way may change that.
    """

    how: str
    never_made: bool = False


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Usage of a plan. Times are the source's own; None is unknown, never zero and never "not yet"."""

    usage: Usage
    first_used_at: datetime | None = None
    #: When the plan's validity ends, where the operator reports it.
    ends_at: datetime | None = None
    #: The operator reports that the plan is over (used up or expired).
    ended: bool = False


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """Install state of a profile. `usage`: usage that the same answer contained, so that no second call is needed.

    `install.observed_at` may be when that state began; `known_at` is when the source last confirmed it.
    """

    install: InstallStatus
    eid: str | None = None
    usage: UsageReport | None = None
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AppliedTopUp:
    """Data and validity are extended. None: the operator does not report it."""

    total_bytes: int | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True)
class OperatorRefused(Refused):
    """The operator refuses, and would refuse a repetition. `left_behind`: something is reserved and must be withdrawn.

    `identity_used` (an order): the operator has a profile under our ICCID or matching id, and does not say where phones
    download it. An order under a new identity may succeed.
    `in_use` (cancellation): the profile is, or was, on a device.
    """

    statuses: Statuses = ()
    out_of_stock: bool = False
    left_behind: bool = False
    in_use: bool = False
    identity_used: bool = False


@dataclass(frozen=True)
class NotReported(Refused):
    """The operator answered that it has no such profile, or it never reports what was requested."""


@dataclass(frozen=True)
class OperatorNotSent(NotSent):
    """The operator certainly did nothing: it was unreachable, or it rejected the call."""

    statuses: Statuses = ()


@dataclass(frozen=True)
class OperatorUnknown(Unknown):
    """The operator may have done something; the same request is repeated with `uncertain`.

    `responded`: the operator answered that there is no result yet. The circuit breaker does not count it as a failure.
    """

    statuses: Statuses = ()
    responded: bool = False


#: A call that does not change anything at the operator cannot end as Unknown.
QueryOutcome: TypeAlias = Done[R] | NotReported | OperatorNotSent | NotDue
CallOutcome: TypeAlias = Done[R] | OperatorRefused | OperatorNotSent | NotDue | OperatorUnknown


class OperatorClient(Protocol):
    """A client of one operator. `trace` is the traceparent that the call continues."""

    name: str
    traits: Traits

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> CallOutcome[OperatorProfile]:
        """Order one profile. Safe to repeat with the same order (`uncertain`, where it may have been made)."""
        ...

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> CallOutcome[Cancellation]:
        """Make sure that nobody can use the profile, or what may have been made of it. Safe to repeat."""
        ...

    async def status(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[ProfileStatus]:
        """Query the install state."""
        ...

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> QueryOutcome[UsageReport]:
        """Query the usage."""
        ...

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> CallOutcome[AppliedTopUp]:
        """Extend a profile, once per order number. Safe to repeat (`uncertain`, where it may have been applied)."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


def refused(
    reason: str,
    statuses: Statuses = (),
    *,
    out_of_stock: bool = False,
    left_behind: bool = False,
    in_use: bool = False,
    identity_used: bool = False,
) -> OperatorRefused:
    """A refusal whose `code` is the operator's status codes, or `refused` where it gave none."""
    code = in_words(statuses) or "refused"
    return OperatorRefused(code, reason, statuses, out_of_stock, left_behind, in_use, identity_used)


def reason_with_codes(outcome: OperatorNotSent | OperatorUnknown) -> str:
    """The reason with the operator's status codes, for `last_error` of a task: codes and our own words only."""
    codes = in_words(outcome.statuses)
    return f"{outcome.reason} ({codes})" if codes else outcome.reason


def in_words(statuses: Statuses) -> str:
    """`8.2.1/3.3, 8.2.5/3.9`, for sentences."""
    return ", ".join(f"{status.subject_code}/{status.reason_code}" for status in statuses)
