"""Values of a recovery, and what a service adds to it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.base import Event
from shared.messaging.consumer import Handler


class RecoveryRefusedError(Exception):
    """The recovery cannot go on. The message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class RecoveredRecords:
    """What a recovery is about. `lost`: how many records each topic has since then, by its name without prefix."""

    since: datetime
    lost: Mapping[str, int]


#: A step of a service's own; it commits what it does and returns lines for the person who runs the recovery.
Step = Callable[[RecoveredRecords], Awaitable[Sequence[str]]]


@dataclass(slots=True)
class RecoverySteps:
    """What one service recovers besides reading again the topics that it subscribes to.

    `facts`: handlers of events that the service itself has published. They are applied topic by topic in this sequence,
    and must change nothing when they are applied again. `before` and `after`: steps before and after the service's
    topics are read.
    """

    facts: dict[type[Event], Handler] = field(default_factory=dict)
    before: list[Step] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)
