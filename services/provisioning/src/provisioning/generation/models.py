"""Values of generation: a sold order, the payload of the task `provision`, and a generated profile."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from provisioning.clients.models import OperatorProfile, Statuses
from provisioning.operators.models import ProfileTask
from provisioning.operators.rules.routing import Offer
from shared.contracts import (
    OperatorStatus,
    OrderFields,
    OrderPaid,
    Plan,
    ProfileFailed,
    ProfileGenerated,
    TopUpApplied,
    order_fields,
)
from shared.contracts.base import Value

#: waiting: the operator certainly made nothing and may be tried again. refused: final. abandoned: the operator may have
#: made something, which was never published; it is being withdrawn, and the operator is tried again for this order
#: under a new identity as the next step, or not at all.
AttemptState = Literal["waiting", "refused", "abandoned"]


class PaidOrderFields(OrderFields):
    """The fields of an order that each event about its profile carries."""

    plan: Plan
    paid_at: datetime


class Attempt(Value):
    """An operator that was tried for an order before another one."""

    operator: str
    state: AttemptState
    reason: str
    statuses: tuple[OperatorStatus, ...] = ()


class ProvisionPayload(ProfileTask):
    """An order at the operator that is tried now. The task's key is the order's id."""

    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    paid_at: datetime
    #: The order fails when it has no profile by then.
    deadline: datetime
    #: Operators that were tried before this one.
    tried: tuple[Attempt, ...] = ()
    #: How often the order moved to another operator, or to a new identity at the same one.
    moves: int = 0

    def order_fields(self, key: str) -> PaidOrderFields:
        """The fields that each event about the order carries; `key` is the task's key."""
        return {
            "order_id": UUID(key),
            "order_number": self.order_number,
            "storefront": self.storefront,
            "buyer_id": self.buyer_id,
            "plan": self.plan,
            "paid_at": self.paid_at,
        }


def paid_order_fields(order: OrderPaid | ProfileGenerated | ProfileFailed | TopUpApplied) -> PaidOrderFields:
    """The fields of an order that each event about its profile carries."""
    return {**order_fields(order), "plan": order.plan, "paid_at": order.paid_at}


@dataclass(frozen=True, slots=True)
class NextOperator:
    """The order moves to another operator, or to a new identity at the same one.

    `counted` is false where the operator that it leaves was not called.
    """

    to: Offer
    left: Attempt
    counted: bool = True


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an order ended: with a profile, or with a sentence and the status codes of all operators."""

    order_id: UUID
    attempts: int
    profile: OperatorProfile | None = None
    reason: str | None = None
    statuses: Statuses = ()


@dataclass(frozen=True, slots=True)
class GeneratedProfile:
    """A profile that was made for an order, or taken from stock for it. Its row in `profiles` is `generated`."""

    order: PaidOrderFields
    operator: str
    #: The operator's own name of the plan.
    profile_type: str
    iccid: str
    generated_at: datetime
    #: RC 7: when it expires unless it is activated.
    valid_until: datetime
    #: Contains the activation code, a bearer secret: it leaves this service sealed only.
    profile: OperatorProfile
    trace: str | None

    @property
    def order_id(self) -> UUID:
        return self.order["order_id"]
