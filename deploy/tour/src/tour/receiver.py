"""A shop's receiver of webhooks: it listens on a socket of its own and verifies what comes with the client."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from esim_fulfilment import AnyEvent, AsyncClient, InvalidWebhookError, UnknownEvent, verify_webhook
from esim_fulfilment.testing import ScriptedService


@dataclass(frozen=True, slots=True)
class Heard:
    """A verified webhook: the event, its payload, and when it was received."""

    event: AnyEvent
    payload: dict[str, Any]
    at: datetime

    @property
    def seconds(self) -> float:
        """Between what happened and the webhook."""
        return (self.at - self.event.timestamp).total_seconds()


class Receiver:
    """Made by `receiving`."""

    def __init__(self, service: ScriptedService) -> None:
        self._service = service
        self._registered: list[tuple[AsyncClient, str, str]] = []

    async def register(self, client: AsyncClient) -> None:
        """Have the webhooks of this shop sent here."""
        endpoint = await client.create_webhook_endpoint(f"{self._service.url}/webhooks", description="tour")
        self._registered.append((client, endpoint.endpoint_id, endpoint.secret))

    async def leave(self) -> None:
        """Have nothing sent here any more."""
        for client, endpoint_id, _ in self._registered:
            await client.delete_webhook_endpoint(endpoint_id)

    def heard(self, order_id: str) -> list[Heard]:
        """The verified webhooks about an order, in the sequence of their arrival, each once."""
        found: dict[str, Heard] = {}
        for received in list(self._service.received):
            try:
                event = verify_webhook(received.headers, received.body, [secret for *_, secret in self._registered])
            except InvalidWebhookError:
                continue
            if not isinstance(event, UnknownEvent) and event.data.order_id == order_id:
                found.setdefault(event.id, Heard(event, received.json, received.at))
        return list(found.values())


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port, until the block ends."""
    with ScriptedService() as service:
        yield Receiver(service)
