"""What is asked for an order, and what an agent found out."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.contracts.refunds import Origin, RequestChannel


@dataclass(slots=True, frozen=True, kw_only=True)
class Request:
    """What somebody asks for an order.

    `provided` names the fields that came with the request; of e-mail and phone the values are compared with the
    order's contact and then forgotten. `words` are kept as notes: (kind, text). `ground` differs from `reason` for the
    system's own cases and for cancellations.
    """

    reason: str | None
    channel: RequestChannel
    origin: Origin
    received_at: datetime | None = None
    provided: frozenset[str] = frozenset()
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    words: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ground: str | None = None
    charge_id: UUID | None = None

    @property
    def key(self) -> str:
        """One open case per order and this."""
        return self.ground or self.reason or "other"


@dataclass(slots=True, frozen=True)
class Finding:
    """What an agent found out; None leaves as it is what was found before."""

    finding: str | None = None
    restored: bool = False
    fair_use_violated: bool | None = None
    buyer_caused_delay: bool | None = None
    legal_rule: str | None = None
    #: What the operator told the agent of the profile, outside its interfaces: `unused` or `used`.
    profile: str | None = None
    #: Pay although the profile could not be taken back; only where the case waits for a person because of that.
    pay_unrevoked: bool = False
