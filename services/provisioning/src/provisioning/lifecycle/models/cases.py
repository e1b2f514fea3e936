"""Values of refund cases about a profile."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class BegunCase:
    """A case whose profile is generated, so that its task can be scheduled."""

    case_id: UUID
    order_id: UUID
    trace: str | None


@dataclass(frozen=True, slots=True)
class InquiryTimes:
    """When a case requested the state, and when it was answered that the operator is unreachable (None: not yet)."""

    requested_at: datetime
    unreached_at: datetime | None


@dataclass(frozen=True, slots=True)
class RevocationSettlement:
    """How the revocation for a case ended; `detail` is for people."""

    case_id: UUID
    outcome: Literal["revoked", "refused"]
    detail: str
