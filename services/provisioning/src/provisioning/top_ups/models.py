"""Values of top-ups."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning.clients.models import AppliedTopUp, Statuses
from shared.contracts import Plan


@dataclass(frozen=True, slots=True)
class TopUpRow:
    """A paid top-up: a row of `top_ups`. state: due | applied | failed."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    iccid: str | None
    #: The order of the eSIM that it extends; None where there is none, or another storefront sold it.
    esim_order_id: UUID | None
    operator: str
    state: str
    reason: str | None
    paid_at: datetime
    deadline: datetime

    @property
    def esim(self) -> UUID:
        """The order of the eSIM. Raises ValueError where there is none: such a top-up failed at once."""
        if self.esim_order_id is None:
            raise ValueError("this top-up has no eSIM")
        return self.esim_order_id


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a top-up was not applied."""

    reason: str
    statuses: Statuses = ()


Settlement = AppliedTopUp | Failure
