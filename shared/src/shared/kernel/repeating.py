"""Handles a request again when Postgres has rolled its transaction back to break a deadlock, instead of a 503."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import is_undone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: One of two transactions in a deadlock continues, so a second attempt usually succeeds.
ATTEMPTS = 4


class RepeatedWhereUndone:
    """ASGI middleware. Postgres breaks a deadlock by rolling one transaction back (40P01): it had no effect.

    The request is handled again from its beginning, with the same body, as its sender would have to do. It is not
    repeated once a response has begun.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._app(scope, exchange.from_the_start(), exchange.send)
            except Exception as error:
                if not is_undone(error) or exchange.answered or attempt == ATTEMPTS:
                    raise
                log.warning("request_repeated", error=error, attempt=attempt)
            else:
                return


class _Exchange:
    """One request: the received part of its body (its size is limited before), and whether the response has begun."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._received: list[Message] = []
        self.answered = False

    def from_the_start(self) -> Receive:
        """A `receive` that begins with the messages received already."""
        place = 0

        async def receive() -> Message:
            nonlocal place
            if place == len(self._received):
                self._received.append(await self._receive())
            place += 1
            return self._received[place - 1]

        return receive

    async def send(self, message: Message) -> None:
        self.answered = True
        await self._send(message)
