"""An operator inside this process, for benchmarks: every call succeeds at once, and its codes lead nowhere."""

from provisioning.clients.models import (
    AppliedTopUp,
    Cancellation,
    NotReported,
    OperatorProfile,
    ProfileOrder,
    ProfileRef,
    TopUpOrder,
    Traits,
)
from shared.outcomes import Done

_ADDRESS = "instant.invalid"


class InstantOperator:
    """Answers every call without making anything."""

    traits = Traits(repeatable=True, tops_up=True)

    def __init__(self, name: str = "instant") -> None:
        self.name = name

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Done[OperatorProfile]:  # noqa: ARG002 - the protocol's own
        """OperatorProfile, at once."""
        return Done(OperatorProfile(_ADDRESS, wanted.matching_id or "NONE"))

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> Done[Cancellation]:  # noqa: ARG002 - as above
        """Nothing was made, so nothing is cancelled."""
        return Done(Cancellation("nothing was ever made"))

    async def status(self, profile: ProfileRef, *, trace: str | None) -> NotReported:  # noqa: ARG002 - as above
        """Never reported."""
        return NotReported("no-operator", "There is no operator.")

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> NotReported:  # noqa: ARG002 - as above
        """Never reported."""
        return NotReported("no-operator", "There is no operator.")

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> Done[AppliedTopUp]:  # noqa: ARG002 - as above
        """Applied at once."""
        return Done(AppliedTopUp())

    async def close(self) -> None:
        """There are no connections."""
