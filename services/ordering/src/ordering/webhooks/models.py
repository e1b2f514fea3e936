"""Values of webhooks: endpoints, deliveries, and what became of an attempt."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

#: Why nothing is sent to an endpoint: it answered 410, it failed for three days, or its shop disabled it.
DisabledReason = Literal["gone", "failing", "shop"]
#: waiting: due, or tried again later. stopped: its endpoint was disabled.
DeliveryState = Literal["waiting", "delivered", "failed", "stopped"]
#: Updates that one request sends again, so that it is answered within half a minute.
MOST_REDELIVERED = 50_000


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a shop receives webhooks. `types` is None for all. `failures` are consecutive, since `failing_since`."""

    endpoint_id: UUID
    storefront: str
    url: str
    description: str
    types: list[str] | None
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    succeeded_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come. `body` is the JSON that is sent; `give_up_at`: the end of its retries."""

    update_id: UUID
    order_id: UUID | None
    attempts: int
    give_up_at: datetime
    body: str
    trace: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a delivery in one attempt: its next state, and what the delivery log shows.

    `retry_after`: the receiver asked for a pause of so many seconds, which the whole endpoint gets.
    """

    update_id: UUID
    state: DeliveryState
    due_at: datetime
    status: int | None
    latency_ms: int
    answer: str
    error: str | None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """What an endpoint's state becomes after some attempts. `disable`: nothing more is sent."""

    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    succeeded_at: datetime | None
    disable: DisabledReason | None = None


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Which of a shop's updates are delivered again, and to which of its endpoints (None: all that hear them).

    Times are those at which the updates were written; `until` is exclusive.
    """

    endpoint_id: UUID | None = None
    update_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None
    types: Sequence[str] | None = None
    #: Only what no attempt has delivered.
    undelivered: bool = False
