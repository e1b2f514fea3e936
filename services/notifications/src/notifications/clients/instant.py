"""No mail server at all: nothing is rendered or sent. For benchmarks; nobody gets a mail."""

from notifications.clients.mail import Accepted, Mail


class InstantMailer:
    """Says "accepted" at once."""

    async def send(self, mail: Mail) -> Accepted:  # noqa: ARG002 - the protocol's own
        """Accepted."""
        return Accepted()

    async def close(self) -> None:
        """Nothing is open."""
