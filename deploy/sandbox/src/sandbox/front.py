"""The front door: calls of stand-ins go straight to their handlers, everything else to the web app."""

import asyncio
import re
from collections import deque
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.clock import now
from sandbox.exchange import Call, Handler, Reply

BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Route:
    """A method, a path pattern whose groups are the handler's arguments, and the handler."""

    method: str
    pattern: re.Pattern[str]
    handler: Handler
    stand: str
    """The path's first segment, `/epay/`: everything below it belongs to a stand-in."""

    @classmethod
    def of(cls, method: str, path: str, handler: Handler) -> "Route":
        """A route whose `{name}`s each take one path segment."""
        parts = re.split(r"\{\w+\}", path)
        pattern = re.compile("([^/]+)".join(re.escape(part) for part in parts))
        return cls(method, pattern, handler, "/" + path.split("/")[1] + "/")


class RequestLog:
    """The last N requests that left the product for a stand-in, raw."""

    def __init__(self, size: int) -> None:
        self._calls: deque[tuple[str, Call, int]] = deque(maxlen=size)

    def add(self, call: Call, status: int) -> None:
        """Remember one exchange; a status of 0 means the connection was cut."""
        self._calls.append((now(), call, status))

    def clear(self) -> None:
        """Forget all."""
        self._calls.clear()

    def as_json(self, path: str, limit: int) -> list[dict[str, Any]]:
        """The newest first, those whose path contains the text."""
        found: list[dict[str, Any]] = []
        for at, call, status in reversed(self._calls):
            if path in call.path:
                found.append(
                    {
                        "at": at,
                        "method": call.method,
                        "path": call.path,
                        "query": call.query,
                        "headers": call.headers,
                        "body": call.body.decode("utf-8", "replace"),
                        "status": status,
                    }
                )
            if len(found) >= limit:
                break
        return found


class Front:
    """An ASGI application around the web app, for paths that belong to a stand-in."""

    def __init__(self, routes: list[Route], app: ASGIApp, log: RequestLog) -> None:
        self._routes = routes
        self._app = app
        self._log = log
        self._stands = tuple({route.stand for route in routes})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"].startswith(self._stands):
            await self._exchange(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        call = Call(
            method=scope["method"],
            path=scope["path"],
            args=(),
            query=scope["query_string"].decode("latin-1"),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body=body,
            gone=lambda: _disconnected(receive),
        )
        reply = await self._answer(call)
        self._log.add(call, 0 if reply.cut else reply.status)
        await _write(reply, receive, send)

    async def _answer(self, call: Call) -> Reply:
        if len(call.body) > BODY_LIMIT:
            return Reply.of(413, {"code": 413, "message": "the request is too large"})
        known = False
        for route in self._routes:
            found = route.pattern.fullmatch(call.path)
            if found is None:
                continue
            known = True
            if route.method == call.method:
                call.args = cast("tuple[str, ...]", found.groups())
                return await route.handler(call)
        status = 405 if known else 404
        return Reply.of(status, {"code": status, "message": "no such method" if known else "no such path"})


async def _read(receive: Receive) -> bytes | None:
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False):
        return body
    chunks = [body]
    size = len(body)
    while message["type"] == "http.request" and message.get("more_body", False):
        message = await receive()
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= BODY_LIMIT + len(chunk):  # one byte too many is enough to know
            chunks.append(chunk)
    return None if message["type"] == "http.disconnect" else b"".join(chunks)


async def _write(reply: Reply, receive: Receive, send: Send) -> None:
    if reply.cut == "silent":
        _transport(receive).abort()
        await _gone(receive)
        return
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    if reply.repeat > 1:
        await _write_often(reply, headers, receive, send)
        return
    if reply.status not in {204, 304}:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    if reply.cut == "partial":
        half = reply.body[: len(reply.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        _transport(receive).close()
        await _gone(receive)
        return
    await send({"type": "http.response.body", "body": reply.body})


async def _write_often(reply: Reply, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
    """The body again and again, as long as the caller listens."""
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for _ in range(reply.repeat):
        if _disconnected(receive):
            return
        await send({"type": "http.response.body", "body": reply.body, "more_body": True})
        await asyncio.sleep(reply.pause_seconds)
    await send({"type": "http.response.body", "body": b""})


def _transport(receive: Receive) -> asyncio.Transport:
    """The connection itself: the server's `receive` is a method of its request cycle, which holds it."""
    cycle: Any = receive.__self__  # type: ignore[attr-defined] # a bound method under uvicorn
    return cast("asyncio.Transport", cycle.transport)


def _disconnected(receive: Receive) -> bool:
    cycle: Any = receive.__self__  # type: ignore[attr-defined] # as above
    return bool(cycle.disconnected)


async def _gone(receive: Receive) -> None:
    message: MutableMapping[str, Any] = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
