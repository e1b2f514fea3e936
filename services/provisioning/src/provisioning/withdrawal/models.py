"""Payload of the task `withdraw`, and its key."""

from provisioning.clients.models import ProfileRef
from provisioning.operators.models import ProfileTask

#: Withdrawals of profiles in stock have the key `stock:<id>`, all others the order's id.
STOCK_KEY = "stock:"
#: Where the order moved to the same operator under a new identity: `<order id>/<how often it had moved before>`.
ANOTHER_IDENTITY = "/"


class WithdrawalPayload(ProfileTask):
    """A profile that may be left at an operator. Its activation code was never published."""

    def ref(self, *, uncertain: bool) -> ProfileRef:
        """The profile as its operator identifies it."""
        return ProfileRef(
            self.order_number, self.operators_profile_type, self.iccid, self.matching_id, uncertain=uncertain
        )
