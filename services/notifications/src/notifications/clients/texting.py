"""Text messages: what is sent, and the gateways' small protocol. The answers are those of a mail server."""

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from notifications.clients.mail import Answer
from shared.ids import uuid_for


@dataclass(frozen=True, slots=True)
class TextMessage:
    """`to` in E.164. `id`: the same for the same intended message, in every repetition; the gateway sends it once."""

    id: UUID
    to: str = field(repr=False)
    sender: str
    text: str = field(repr=False)


class Texter(Protocol):
    """Hands text messages to a gateway. `trace`: the traceparent that the call continues."""

    async def send(self, message: TextMessage, trace: str | None) -> Answer:
        """Try once; repeating it under the same id is safe."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


def message_id(confirmation_id: UUID) -> UUID:
    """The id of a code's message. Not the confirmation's own: the gateway knows the code already."""
    return uuid_for("sms", str(confirmation_id))
