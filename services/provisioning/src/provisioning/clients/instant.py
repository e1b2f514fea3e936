"""No operator at all: every order is made at once, in this process. For benchmarks; the codes lead nowhere."""

from provisioning.clients.models import (
    Cancelled,
    Made,
    NotKnown,
    ProfileOrder,
    ProfileRef,
    ToppedUp,
    TopUpOrder,
    Traits,
)

_ADDRESS = "instant.invalid"


class InstantOperator:
    """Says "made" without making anything."""

    traits = Traits(repeatable=True, tops_up=True)

    def __init__(self, name: str = "instant") -> None:
        self.name = name

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Made:  # noqa: ARG002 - the protocol's own
        """Made, at once."""
        return Made(_ADDRESS, wanted.matching_id or "NONE")

    async def cancel(self, profile: ProfileRef, *, trace: str | None) -> Cancelled:  # noqa: ARG002 - as above
        """There was nothing."""
        return Cancelled("nothing was ever made")

    async def status(self, profile: ProfileRef, *, trace: str | None) -> NotKnown:  # noqa: ARG002 - as above
        """Nobody knows."""
        return NotKnown("there is no operator")

    async def usage(self, profile: ProfileRef, *, trace: str | None) -> NotKnown:  # noqa: ARG002 - as above
        """Nobody knows."""
        return NotKnown("there is no operator")

    async def top_up(self, wanted: TopUpOrder, *, trace: str | None) -> ToppedUp:  # noqa: ARG002 - as above
        """Done, at once."""
        return ToppedUp()

    async def close(self) -> None:
        """Nothing is open."""
