"""What is told when a profile is there: the event, and whoever in this service looks after its life from then on."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning.domain.operator import Made
from shared.contracts import Plan
from shared.database import Tx


@dataclass(frozen=True, slots=True)
class Born:
    """A profile that was just made for an order, or taken from stock for it. Its row in `profiles` is `generated`."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    operator: str
    #: The operator's own name of the plan.
    profile_type: str
    iccid: str
    paid_at: datetime
    generated_at: datetime
    #: RC 7: when it expires unless it is activated.
    valid_until: datetime
    #: Holds the code, a bearer secret: it goes nowhere but sealed.
    made: Made
    trace: str | None


#: Called with all profiles of a transaction, in the very transaction that publishes ProfileGenerated for them.
OnBirth = Callable[[Tx, Sequence[Born]], Awaitable[None]]
