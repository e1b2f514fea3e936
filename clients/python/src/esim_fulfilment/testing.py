"""For the tests of a shop: a scripted service on a real socket, and webhooks signed as the service signs them."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from standardwebhooks.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    #: When it had been read.
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def json(self) -> Any:
        """The body. Raises ValueError."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: bytes are sent as they are, anything else as JSON. `cut` ends the connection before any answer."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


class _Server(ThreadingHTTPServer):
    #: Eight webhooks arrive at once. Where fewer may wait to be accepted, each further one takes a second more.
    request_queue_size = 128


class ScriptedService:
    """Answers a request by `paths` (`"GET /orders/1"`), else with the next of `replies`, and repeats the last one.

    `received` has the requests.
    """

    def __init__(self) -> None:
        self.paths: dict[str, Reply] = {}
        self.replies = [Reply()]
        self.received: list[Received] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        """Start to listen."""
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def next_reply(self, received: Received) -> Reply:
        """Note a request and return its answer."""
        self.received.append(received)
        by_path = self.paths.get(f"{received.method} {received.path}")
        if by_path is not None:
            return by_path
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def signed_webhook(
    event: Mapping[str, Any] | bytes, secret: str, *, webhook_id: str = "msg-1", age: timedelta = timedelta()
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a webhook that was sent `age` ago."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    sent_at = datetime.now(UTC) - age
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, sent_at, body.decode()),
        "content-type": "application/json",
    }
    return headers, body


def _handler(service: ScriptedService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = service.next_reply(Received(self.command, self.path, headers, body))
            if reply.cut:
                self.close_connection = True
                return
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"content-length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            """Write nothing to the terminal."""

    return Handler
