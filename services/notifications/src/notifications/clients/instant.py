"""A mail server for benchmarks: it accepts every email at once, renders nothing and sends nothing."""

from notifications.clients.mail import Mail
from shared.outcomes import Done


class InstantMailer:
    """Accepts every email without composing it."""

    async def send(self, mail: Mail) -> Done[None]:  # noqa: ARG002 - the protocol's own
        """Accept."""
        return Done(None)

    async def close(self) -> None:
        """Do nothing: there are no connections."""
