"""Limits the size and time of a request's head and body, before any of it is parsed.

uvicorn limits neither: it waits for the rest of a head without end, and keeps a header line of any length in memory.
"""

import asyncio
import json
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Of the request line and all header lines together.
MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
#: Limit of unparsed bytes of an incomplete head: the head's own limit, and a body that came in the same packet.
_UNPARSED = 2 * MAX_HEAD_BYTES
HEAD_SECONDS = 10.0
#: A body that has not arrived by then goes on only as fast as `BODY_BYTES` in each further such time, and ends by
#: `MAX_BODY_SECONDS`: a phone that sends 10 MiB at 17 KiB a second, for instance.
BODY_SECONDS = 30.0
BODY_BYTES = 64 * 1024
MAX_BODY_SECONDS = 600.0

_SLOW_HEAD = "The head of a request has {seconds:.0f} seconds to arrive; send it again in one go."
_SLOW_BODY = (
    "A body has {seconds:.0f} seconds to arrive; a longer one has to go on with {bytes} bytes in each such time, and "
    "to end within {most:.0f} seconds. Send it again."
)
_LARGE = "The request line and headers may have at most {bytes} bytes and {headers} headers together."


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits: 408 for a request that is too slow, 431 for a head that is too large.

    A limit that is passed closes the connection; the answer is a problem document like any other refusal.
    """

    head_seconds = HEAD_SECONDS
    body_seconds = BODY_SECONDS
    body_bytes = BODY_BYTES
    max_body_seconds = MAX_BODY_SECONDS

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._deadline: asyncio.TimerHandle | None = None
        self._in_head = True
        self._unparsed = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._body_until = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        super().connection_made(transport)
        self._expect_within(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            if self._deadline is None:  # the first bytes of another request on this connection
                self._expect_within(self.head_seconds)
            self._unparsed += len(data)
        super().data_received(data)
        if self._in_head and self._unparsed > _UNPARSED:
            self._refuse_large_head()

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.transport.is_closing():
            return
        self._in_head, self._unparsed = False, 0
        self._body_bytes, self._body_until = 0, self.loop.time() + self.max_body_seconds
        self._expect_within(self.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._expect_nothing()
        self._in_head = True
        if self.cycle is not None:
            super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > MAX_HEAD_BYTES or len(self.headers) >= MAX_HEADERS:
            self._refuse_large_head()

    def _refuse_large_head(self) -> None:
        detail = _LARGE.format(bytes=MAX_HEAD_BYTES, headers=MAX_HEADERS)
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "headers-too-large", detail)

    def _expect_within(self, seconds: float) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self._time_is_over, seconds)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_is_over(self, seconds: float) -> None:
        self._deadline = None
        if self._in_head and self._unparsed == 0:
            self.transport.close()  # nothing was sent: there is nothing to answer
        elif self._in_head:
            self._refuse_slow(_SLOW_HEAD.format(seconds=seconds))
        elif (self._body_bytes >= self.body_bytes or self.flow.read_paused) and self.loop.time() < self._body_until:
            # It arrives, or it waits for us to take what has arrived.
            self._body_bytes = 0
            self._expect_within(self.body_seconds)
        else:
            detail = _SLOW_BODY.format(seconds=seconds, bytes=self.body_bytes, most=self.max_body_seconds)
            self._refuse_slow(detail)

    def _refuse_slow(self, detail: str) -> None:
        self._refuse(HTTPStatus.REQUEST_TIMEOUT, "request-too-slow", detail)

    def _refuse(self, status: HTTPStatus, kind: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = json.dumps(
                {"type": f"urn:problem:{kind}", "title": status.phrase, "status": int(status), "detail": detail}
            ).encode()
            head = (
                f"HTTP/1.1 {int(status)} {status.phrase}\r\ncontent-type: application/problem+json\r\n"
                f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(head.encode() + body)
        self.transport.close()
