"""One process, one loop: the HTTP server and the SMTP server, started and stopped together."""

import asyncio
import socket
from functools import cache

import uvicorn
from fastapi import FastAPI
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from sandbox.control import control_router
from sandbox.front import Front
from sandbox.imap.server import ImapServer
from sandbox.mail.smtp import SmtpServer
from sandbox.mail.web import mail_router
from sandbox.serving import For
from sandbox.settings import Settings
from sandbox.shop.web import shop_router
from sandbox.sms.web import sms_router
from sandbox.stands import Stands

STOP_SECONDS = 5


class _Http(uvicorn.Server):
    """uvicorn without its own signal handling, and with an event for "it serves" and one for "stop"."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = asyncio.Event()
        self.stopping = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.serving.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()


class Server:
    """A sandbox that can be started and stopped."""

    def __init__(self, settings: Settings) -> None:
        self.stands = Stands(settings)
        self._settings = settings
        self._smtp = SmtpServer(self.stands.mail_handler)
        self._imap = ImapServer(settings, self.stands.imap, self.stands.faults)
        self._http: _Http | None = None
        self._task: asyncio.Task[None] | None = None
        self.http_port = 0
        self.smtp_port = 0
        self.imap_port = 0

    async def start(self) -> None:
        """Load the ledgers, then serve; returns when both ports answer."""
        self.stands.load()
        http = _listen(self._settings.host, self._settings.http_port)
        smtp = _listen(self._settings.host, self._settings.smtp_port)
        imap = _listen(self._settings.host, self._settings.imap_port)
        self.http_port, self.smtp_port, self.imap_port = (one.getsockname()[1] for one in (http, smtp, imap))
        await self._smtp.start(smtp)
        await self._imap.start(imap)
        self._http = _Http(
            uvicorn.Config(
                Front(self.stands.routes(), For(self.stands, self._answer), self.stands.requests),
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_SECONDS,
                backlog=2048,
            )
        )
        self._task = asyncio.create_task(self._http._serve([http]))  # noqa: SLF001 - `serve` takes over all signals
        await self._http.serving.wait()

    async def stop(self) -> None:
        """Answer what has been asked, then close everything."""
        self.stands.faults.end()
        if self._http is not None and self._task is not None:
            self._http.stopping.set()
            await self._task
        await self._imap.stop()
        await self._smtp.stop()
        await self.stands.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The web interface, and `GET /health`: 200 when HTTP and SMTP are served."""
        if (scope["method"], scope["path"]) != ("GET", "/health"):
            await _web()(scope, receive, send)
            return
        serving = self._smtp.serving
        ports = {"smtp_port": self.smtp_port, "imap_port": self.imap_port}
        response = JSONResponse({"status": "ok" if serving else "starting", **ports}, 200 if serving else 503)
        await response(scope, receive, send)


@cache
def _web() -> FastAPI:
    """The web interface of all sandboxes of this process (sandbox.serving)."""
    app = FastAPI(title="Sandbox", docs_url=None, redoc_url=None)
    for router in (control_router(), mail_router(), shop_router(), sms_router()):
        app.include_router(router)
    return app


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off (40 ms on each answer) only where the protocol is named
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)  # noqa: FBT003 - the socket module takes it so
        listener.listen(2048)
    except OSError:
        listener.close()
        raise
    return listener
