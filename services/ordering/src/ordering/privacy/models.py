"""Values of privacy requests."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

RequestKind = Literal["export", "block", "unblock", "erase"]
#: The kinds of task of this service, as they are stored.
CLEAR_SESSIONS, REPEAT_TOMBSTONE = "clear_sessions", "repeat_tombstone"
#: Every service that may store something about a buyer must confirm an erasure.
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")


@dataclass(frozen=True, slots=True)
class ConfirmedErasure:
    """A service's confirmation that it erased a buyer. `kept`: what the law requires it to keep."""

    buyer_id: UUID
    kept: Sequence[str]
    erased_at: datetime


@dataclass(frozen=True, slots=True)
class Effect:
    """What an act would reach at this moment: the numbers of the orders of the mailbox.

    `left`: orders of the mailbox that it does not reach, because nobody has proved that they are of the same person.
    """

    kind: RequestKind
    reached: Sequence[str]
    left: Sequence[str]
    contact_at: datetime

    @property
    def digest(self) -> str:
        """The same for the same effect: an agent who has seen another one is refused."""
        seen = [self.kind, self.contact_at.astimezone(UTC).isoformat(), *self.reached]
        return hashlib.sha256("\n".join(seen).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RequestState:
    """A request, the buyers that it reached, and which services have erased all of them."""

    request_id: UUID
    kind: RequestKind
    requested_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    #: How an agent identified the person (`Identification` as JSON).
    identification: Mapping[str, Any] | None
    buyers: Sequence[UUID]
    #: By service: `erased_at` and `kept`.
    erased: Mapping[str, Mapping[str, Any]]

    @property
    def waiting_for(self) -> list[str]:
        """The services that have not confirmed the erasure yet; empty for other kinds of request."""
        return [name for name in SERVICES if name not in self.erased] if self.kind == "erase" else []
