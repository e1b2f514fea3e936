"""What is requested for an order, and what an agent found out."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from shared.contracts import Money
from shared.contracts.refunds import Origin, RequestChannel


@dataclass(slots=True, frozen=True, kw_only=True)
class Request:
    """A request for a refund, from a buyer, an agent or the system itself.

    `provided` names the fields that came with the request. The values of e-mail and phone are compared with the
    order's contact and then dropped. `words` are kept as notes: (kind, text). `ground` differs from `reason` for the
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
        """The ground of the case. An order has at most one open case per ground."""
        return self.ground or self.reason or "other"


@dataclass(slots=True, frozen=True)
class ShopRefund:
    """A shop's own decision to return money. `amount` None: all that is left. `ground` stands for the key."""

    ground: str
    amount: Money | None
    reason: str = field(repr=False)
    request_hash: str


@dataclass(slots=True, frozen=True)
class Finding:
    """What an agent found out. None leaves the earlier finding unchanged."""

    finding: str | None = None
    restored: bool = False
    fair_use_violated: bool | None = None
    buyer_caused_delay: bool | None = None
    legal_rule: str | None = None
    #: What the operator reported to the agent outside its interfaces: `unused` or `used`.
    profile: str | None = None
    #: Pay although the profile could not be revoked; only where the case waits for a person because of that.
    pay_unrevoked: bool = False
