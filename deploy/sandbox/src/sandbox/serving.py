"""Which sandbox a request is for: the routes of the web interface are made once a process, for all its sandboxes.

A test starts a sandbox of its own, and making 60 routes took longer than many tests do.
"""

from contextvars import ContextVar

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.stands import Stands

_stands: ContextVar[Stands] = ContextVar("the stand-ins of the sandbox that serves this request")


def stands() -> Stands:
    """The stand-ins of the sandbox that serves this request."""
    return _stands.get()


class For:
    """An ASGI application: the web interface, for one sandbox."""

    def __init__(self, served: Stands, app: ASGIApp) -> None:
        self._served = served
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        token = _stands.set(self._served)
        try:
            await self._app(scope, receive, send)
        finally:
            _stands.reset(token)
