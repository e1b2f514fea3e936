"""Values of privacy requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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
class RequestState:
    """A request, the buyers that it reached, and which services have erased all of them."""

    request_id: UUID
    kind: RequestKind
    requested_at: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None
    #: How an agent identified the person (`contact.models.Identification` as JSON).
    identification: Mapping[str, Any] | None
    buyers: Sequence[UUID]
    #: By service: `erased_at` and `kept`.
    erased: Mapping[str, Mapping[str, Any]]

    @property
    def waiting_for(self) -> list[str]:
        """The services that have not confirmed the erasure yet; empty for other kinds of request."""
        return [name for name in SERVICES if name not in self.erased] if self.kind == "erase" else []
