"""A request whose transaction Postgres has undone for another's sake is handled again, instead of answered with 503."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import is_undone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Of two transactions in a deadlock one goes on, so a second attempt meets another situation.
ATTEMPTS = 4


class RepeatedWhereUndone:
    """ASGI middleware. Postgres breaks a deadlock by undoing one transaction (40P01): nothing of it has happened.

    The request is handled again from its beginning, with the body as it came; whoever sent it would have to do the
    same. Not so once an answer has begun.
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
    """One request: what came of its body, and whether its answer has begun. The body's size is limited outside."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._received: list[Message] = []
        self.answered = False

    def from_the_start(self) -> Receive:
        """Receives what came already, and then what comes."""
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
