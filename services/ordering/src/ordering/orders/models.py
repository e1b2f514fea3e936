"""What a shop asks of its orders: filters, a place in the list, and the rows that answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ordering.timeline.models import Status
from shared.contracts import ProfileObserved

#: The filters of a list, as query parameters.
FILTERS = ("status", "plan", "from", "to", "email", "q")
#: The most orders of one page: some 150 KB of JSON.
LARGEST_PAGE = 200
DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class Filters:
    """Which orders are asked for; None: any. `since` (inclusive) and `until` (exclusive) bound the time of placing.

    `mailbox`: the key of the buyer's address (`Email.key`). `text`: an order's number or id, the shop's own submission
    id, or an ICCID, whole; or an address, whose key is then in `text_mailbox`.
    """

    status: Status | None = None
    plan: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    mailbox: str | None = None
    text: str | None = None
    text_mailbox: str | None = None

    def canonical(self) -> str:
        """The same text for the same filters, and another for others."""
        return "\x1f".join(f"{name}={value}" for name, value in asdict(self).items() if value is not None)


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a list, newest first: behind this order."""

    placed_at: datetime
    order_id: UUID


@dataclass(frozen=True, slots=True)
class ListedOrder:
    """An order in a list. `status` None: it has still to be derived. `iccid`: of the eSIM, where one is known."""

    order_id: UUID
    number: int
    submission_id: str | None
    kind: str
    status: str | None
    plan: Mapping[str, Any]
    price: int
    currency: str
    placed_at: datetime
    iccid: str | None
    #: Placed with a key for tests.
    test: bool = False

    @property
    def place(self) -> Place:
        """Where it stands in a list."""
        return Place(self.placed_at, self.order_id)


class UnservableError(ValueError):
    """Filters that cannot be served. `faults`: by parameter, what is wrong with it, without its value."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("unservable filters")
        self.faults = dict(faults)


class AlteredCursorError(ValueError):
    """A cursor that this service did not make, or made for other filters or another shop."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What was reported of an eSIM last. None: unknown. Bytes; times are the sources' own."""

    install_state: str | None = None
    install_observed_at: datetime | None = None
    used_bytes: int | None = None
    total_bytes: int | None = None
    usage_observed_at: datetime | None = None
    plan_ends_at: datetime | None = None

    @classmethod
    def of(cls, event: ProfileObserved) -> "Observation":
        """What an event reports. A state or usage without a time was reported by nobody."""
        install, usage = event.install, event.usage
        observation = cls(plan_ends_at=event.plan_ends_at)
        if install.observed_at is not None:
            observation = replace(observation, install_state=install.state, install_observed_at=install.observed_at)
        if usage.observed_at is not None:
            observation = replace(
                observation,
                used_bytes=usage.used_bytes,
                total_bytes=usage.total_bytes,
                usage_observed_at=usage.observed_at,
            )
        return observation

    def merged(self, other: "Observation") -> "Observation":
        """The newest of both, as `store.py` does it in SQL; the sequence does not matter."""
        install = max(self, other, key=lambda each: (_time(each.install_observed_at), each.install_state or ""))
        usage = max(self, other, key=lambda each: (_time(each.usage_observed_at), *_bytes(each)))
        ends = [each.plan_ends_at for each in (self, other) if each.plan_ends_at is not None]
        return Observation(
            install.install_state,
            install.install_observed_at,
            usage.used_bytes,
            usage.total_bytes,
            usage.usage_observed_at,
            max(ends, default=None),
        )


def _time(moment: datetime | None) -> float:
    return -1.0 if moment is None else moment.timestamp()


def _bytes(observation: Observation) -> tuple[int, int]:
    used, total = observation.used_bytes, observation.total_bytes
    return (-1 if used is None else used, -1 if total is None else total)


@dataclass(frozen=True, slots=True)
class KnownEsim:
    """An eSIM of an order, or the one that a top-up extends, and how it ended (UTC), as far as that was reported."""

    iccid: str
    observation: Observation
    valid_until: datetime | None = None
    revoked_at: datetime | None = None
    expired_at: datetime | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What an order's answer has besides its facts."""

    submission_id: str | None
    esim: KnownEsim | None
