"""The shops' receivers of webhooks: one for each shop; what they get is verified with the client of shops."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from campaign.shops import Shops
from esim_fulfilment import InvalidWebhookError, verify_webhook
from esim_fulfilment.testing import Received, Reply, ScriptedService

_UP, _AWAY, _CUT = Reply(204), Reply(503), Reply(cut=True)


@dataclass(frozen=True, slots=True)
class Heard:
    """An update as a shop's receiver took it: its id, its type, and its order (or None)."""

    id: str
    type: str
    order_id: str | None


class _Receiver(ScriptedService):
    """Notes only what it took: what it refused has to come again."""

    def __init__(self) -> None:
        super().__init__()
        self.secret = ""
        self.answer = _UP
        self.heard: dict[str, Heard] = {}
        self.unverified = 0
        # A service that was killed leaves its connection behind: no news, and no traceback.
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign] # of the server that ours is made of

    def next_reply(self, received: Received) -> Reply:
        answer = self.answer
        if answer is _UP:
            try:
                event = verify_webhook(received.headers, received.body, [self.secret])
            except InvalidWebhookError:
                self.unverified += 1
                return Reply(400)
            order_id = received.json.get("data", {}).get("order_id")
            self.heard.setdefault(event.id, Heard(event.id, event.type, order_id))
        return answer


@dataclass
class Receivers:
    """Receivers on sockets of their own, registered with `register`. One that is away answers 503, or cuts."""

    _services: dict[str, _Receiver] = field(default_factory=dict)
    _endpoints: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Nothing listens before `register`."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._stack.close()

    async def register(self, shops: Shops, slugs: Sequence[str]) -> None:
        """Have each shop's webhooks sent to its receiver."""
        for slug in slugs:
            service = self._services[slug] = self._stack.enter_context(_Receiver())
            endpoint = await shops.client(slug).create_webhook_endpoint(f"{service.url}/webhooks", description=slug)
            service.secret = endpoint.secret
            self._endpoints[slug] = endpoint.endpoint_id

    async def forget(self, shops: Shops) -> None:
        """Have nothing more sent to the receivers: whoever uses the product next has none of them."""
        for slug, endpoint in self._endpoints.items():
            await shops.client(slug).delete_webhook_endpoint(endpoint)

    def away(self, slug: str, *, cut: bool) -> None:
        """Refuse what comes, or cut the connection."""
        self._services[slug].answer = _CUT if cut else _AWAY

    def back(self, slug: str) -> None:
        """Take what comes."""
        self._services[slug].answer = _UP

    @property
    def unverified(self) -> int:
        """How many were refused because their signature was not right."""
        return sum(service.unverified for service in self._services.values())

    def heard(self) -> Mapping[str, list[Heard]]:
        """What each shop has taken, each id once, in the order of arrival."""
        return {slug: list(service.heard.values()) for slug, service in self._services.items()}
