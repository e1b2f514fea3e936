"""Values of the stock: payload of the task `stock`, and a profile that an order took."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning.clients.models import OperatorProfile
from provisioning.operators.models import Identity, ProfileTask
from provisioning.operators.rules.routing import Offer


class StockPayload(ProfileTask):
    """A profile that is ordered for stock. The task's key is the id of its row in `stock_profiles`."""


@dataclass(frozen=True, slots=True)
class StockProfile:
    """A row of `stock_profiles`: the profile that a pool orders, or gives back."""

    id: UUID
    identity: Identity

    def fields(self, operator: str, profile_type: str) -> dict[str, str | None]:
        """The fields of the payloads of `stock` and `withdraw`."""
        return {
            "order_number": f"stock-{self.id.hex}",  # stands for the order number at operators that identify by it
            "operator": operator,
            "profile_type": profile_type,
            "iccid": self.identity.iccid,
            "matching_id": self.identity.matching_id,
        }


@dataclass(frozen=True, slots=True)
class Level:
    """Profiles of a pool. `failed_at`: when the operator last failed to make one."""

    ready: int
    ordered: int
    failed_at: datetime | None


@dataclass(frozen=True, slots=True)
class StockSettlement:
    """How a profile ordered for stock ended. `max_age_seconds`: how long it may be sold."""

    id: UUID
    max_age_seconds: float
    profile: OperatorProfile | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TakenProfile:
    """A profile from stock that now belongs to an order."""

    offer: Offer
    iccid: str
    profile: OperatorProfile
    made_at: datetime | None
