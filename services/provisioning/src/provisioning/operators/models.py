"""Values about a profile at an operator."""

from dataclasses import dataclass

from provisioning.clients.models import ProfileOrder
from shared.contracts import Plan
from shared.task_payload import TaskPayload


@dataclass(frozen=True, slots=True)
class Identity:
    """ICCID and matching id of a profile, stored before the first call. None where the operator chooses them."""

    iccid: str | None
    matching_id: str | None


class ProfileTask(TaskPayload):
    """A profile at an operator: the common part of the payloads of `provision`, `stock` and `withdraw`."""

    #: Withdrawals that the first release scheduled have none.
    order_number: str = ""
    #: None in tasks of the first release, which had one operator.
    operator: str | None = None
    #: The operator's own name of the plan. None in tasks of the first release: it was the plan's name.
    profile_type: str | None = None
    plan: Plan | None = None
    iccid: str | None
    matching_id: str | None

    @property
    def operators_profile_type(self) -> str:
        """The operator's own name of the plan."""
        return self.profile_type or (self.plan.profile_type if self.plan else "")

    def wanted(self, *, uncertain: bool) -> ProfileOrder:
        """The order as the operator receives it."""
        return ProfileOrder(
            self.order_number, self.operators_profile_type, self.iccid, self.matching_id, uncertain=uncertain
        )
