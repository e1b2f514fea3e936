"""No operator at all: every order is made at once, in this process. For benchmarks; the codes lead nowhere."""

from provisioning.domain.operator import Made, ProfileOrder, Withdrawn

_ADDRESS = "instant.invalid"


class InstantOperator:
    """Says "made" without making anything."""

    name = "instant"

    async def order(self, wanted: ProfileOrder, *, trace: str | None) -> Made:  # noqa: ARG002 - the protocol's own
        """Made, at once."""
        return Made(_ADDRESS, wanted.matching_id)

    async def withdraw(self, wanted: ProfileOrder, *, trace: str | None) -> Withdrawn:  # noqa: ARG002 - as above
        """There was nothing."""
        return Withdrawn("nothing was ever made")

    async def close(self) -> None:
        """Nothing is open."""
