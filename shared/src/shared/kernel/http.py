"""The HTTP side of a service: one FastAPI app, traced, limited in size, with health and metrics."""

import asyncio
import time
from collections.abc import Callable
from fnmatch import fnmatchcase
from http import HTTPStatus

import uvicorn
from fastapi import FastAPI
from opentelemetry.trace import SpanKind
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kernel.connections import BoundedProtocol
from shared.kernel.forwarded import Networks, client_address
from shared.kernel.problems import Problem, install
from shared.kernel.rate_limits import RateLimited, RateLimits
from shared.kernel.repeating import RepeatedWhereUndone
from shared.telemetry.tracing import Tracing, current
from shared.values import traceparent

MAX_BODY_BYTES = 256 * 1024
#: More are answered 503 at once: the process's memory and files are bounded, too.
MAX_CONNECTIONS = 1000
_TOO_LARGE = "body-too-large"
_QUIET = ("/health", "/metrics")


class TracedAndLimited:
    """ASGI middleware: refuses oversized bodies and records a span per request, continuing the caller's `traceparent`.

    Behind a trusted proxy `request.client` is the client that the proxy names, with port 0.
    """

    def __init__(self, app: ASGIApp, tracing: Tracing, trusted: Networks = ()) -> None:
        self._app = app
        self._tracing = tracing
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_QUIET):
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._trusted and scope["client"] is not None and b"x-forwarded-for" in headers:
            forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
            scope["client"] = (client_address(scope["client"][0], forwarded, self._trusted), 0)
        most = _most_bytes(scope)
        if int(headers.get(b"content-length", b"0") or 0) > most:
            await _too_large(most).response()(scope, receive, send)
            return
        parent = traceparent.parse(headers.get(b"traceparent", b"").decode("latin-1"))
        method = scope["method"]
        span = self._tracing.start(
            method, parent, SpanKind.SERVER, {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        )
        scope.setdefault("state", {})["trace"] = span.traceparent
        current.set(span.traceparent)

        async def traced_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set("http.response.status_code", message["status"])
                if message["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    span.set("error.type", str(message["status"]))
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    # A path may hold a secret (the link to an account) or a name: its pattern does not.
                    span.rename(f"{method} {route}")
                    span.set("http.route", route)
                    span.set("url.path", route)
            await send(message)

        try:
            await self._app(scope, _limited(receive, most), traced_send)
        except BaseException as error:
            span.end(error)
            raise
        else:
            span.end()


class _TooLargeError(HTTPException):
    kind = _TOO_LARGE


def _too_large(most: int) -> Problem:
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, f"A body may have at most {most} bytes.")


def _most_bytes(scope: Scope) -> int:
    """The largest body of this path: `app.state.body_limits` has exceptions by patterns of paths (`*`: anything)."""
    exceptions: dict[str, int] = getattr(scope["app"].state, "body_limits", {})
    return next((most for path, most in exceptions.items() if fnmatchcase(scope["path"], path)), MAX_BODY_BYTES)


def _limited(receive: Receive, most: int) -> Receive:
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > most:
                # The only exception that FastAPI does not convert while it reads a body.
                raise _TooLargeError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(most).detail)
        return message

    return limited


def new_app(
    title: str,
    tracing: Tracing,
    trusted: Networks = (),
    limited: Callable[[str], None] = lambda _limit: None,
    rate_limits: RateLimits | None = None,
) -> FastAPI:
    """An app whose refusals are problem documents. Its documentation is made by shared.interfaces.

    `trusted`: the networks of the proxies in front of it. `limited` hears of each limit that a request has reached.
    """
    app = FastAPI(title=title, openapi_url=None)
    install(app, limited)
    app.add_middleware(RepeatedWhereUndone)
    if rate_limits is not None:
        app.add_middleware(RateLimited, limits=rate_limits, limited=limited)
    app.add_middleware(TracedAndLimited, tracing=tracing, trusted=trusted)
    return app


class HttpServer:
    """uvicorn in the service's own event loop, so that the service controls the order of start and stop."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            http=BoundedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,  # ours is shared.kernel.forwarded; uvicorn's believes whoever is on this machine
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined] # signals are the service's
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._task = asyncio.create_task(self._serve())
        deadline = time.monotonic() + 10
        while not self._server.started:
            if self._task.done() or time.monotonic() > deadline:
                raise OSError(f"cannot listen on {self._server.config.host}:{self._server.config.port}")
            await asyncio.sleep(0.01)

    async def _serve(self) -> None:
        try:
            await self._server._serve()  # noqa: SLF001 - serve() would take over the process's signals
        except SystemExit:
            return  # uvicorn exits the process when a port is taken; `start` reports it instead

    async def stop(self) -> None:
        """Finish open requests."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
