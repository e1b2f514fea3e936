"""One trace per order, across hops that wait in tables and topics.

OpenTelemetry keeps its context in the running task, but our work waits in an outbox, a topic or a row. So a W3C
`traceparent` is carried as data: every message and every task holds the one that it continues, and a span is started
from that text. For a trace that is not sampled this costs a string comparison.

Attributes have the names of OpenTelemetry's semantic conventions (messaging, HTTP); `tests/test_signals.py` compares
them. Full addresses are never recorded, because they may hold a token or a number: only routes and hosts are.
"""

import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from http import HTTPStatus
from urllib.parse import urlsplit

from opentelemetry.trace import SpanKind

from shared.telemetry.recording import Exporter, Recorder, Recording
from shared.values.traceparent import is_sampled, parse

Attributes = Mapping[str, str | int | float | bool]
#: Observes every call that ended: the peer, the operation, the outcome, seconds.
Observer = Callable[[str, str, str, float], None]
#: The traceparent of the running asyncio task, for its log lines.
current: ContextVar[str | None] = ContextVar("current", default=None)


class Span:
    """A span of one trace. The next hop continues `traceparent`."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, traceparent: str | None, span: Recording | None = None) -> None:
        self.traceparent = traceparent
        self._span = span

    def set(self, name: str, value: str | float | bool) -> None:
        if self._span is not None:
            self._span.set({name: value})

    def placed(self, partition: int, offset: int) -> None:
        """Record the partition and offset of a message."""
        if self._span is not None:
            self._span.set({"messaging.destination.partition.id": str(partition), "messaging.kafka.offset": offset})

    def rename(self, name: str) -> None:
        if self._span is not None:
            self._span.rename(name)

    def end(self, error: BaseException | str | None = None) -> None:
        """Finish. An error is recorded by its type only: its message may hold personal data."""
        if self._span is None:
            return
        if error is not None:
            self._span.fail(error if isinstance(error, str) else type(error).__name__)
        self._span.end()


class Call(Span):
    """A call to the outside: a CLIENT span, and where it ends one observation, recorded or not.

    `outcome` is a word out of a few: `ok`, `refused` (HTTP 4xx), `failed`, or what the adapter sets.
    """

    __slots__ = ("_began", "_observe", "_operation", "_peer", "outcome")

    def __init__(self, span: Span, peer: str, operation: str, observe: Observer | None) -> None:
        super().__init__(span.traceparent, span._span)  # noqa: SLF001 - our own base class
        self.outcome: str | None = None
        self._peer = peer
        self._operation = operation
        self._observe = observe
        self._began = time.perf_counter()

    def asks(self, method: str, url: str = "") -> None:
        """It is an HTTP request. Of the address only host and port are recorded."""
        if self._span is not None:
            self._span.set({"http.request.method": method, **_server(url)})

    def answered(self, status: int) -> None:
        """The HTTP response's status."""
        self.set("http.response.status_code", status)
        if status >= HTTPStatus.BAD_REQUEST:
            self.set("error.type", str(status))
            self.outcome = "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"

    def end(self, error: BaseException | str | None = None) -> None:
        """Finish; an error without an outcome of its own has `failed`."""
        super().end(error)
        if self._observe is not None:
            outcome = self.outcome or ("ok" if error is None else "failed")
            self._observe(self._peer, self._operation, outcome, time.perf_counter() - self._began)


@lru_cache(maxsize=256)
def _server(url: str) -> dict[str, str | int]:
    try:
        parts = urlsplit(url)
        address, port = parts.hostname, parts.port
    except ValueError:
        return {}
    attributes: dict[str, str | int] = {} if address is None else {"server.address": address}
    return attributes if port is None else {**attributes, "server.port": port}


class Tracing:
    """Starts spans for one service. Without exporters traces are still carried on, only not recorded."""

    def __init__(
        self,
        service: str,
        *,
        exporters: tuple[Exporter, ...] = (),
        ratio: float = 1.0,
        observe: Observer | None = None,
    ) -> None:
        self._ratio = ratio
        self._observe = observe
        self._recorder = Recorder(service, exporters) if exporters else None

    def records(self, parent: str | None) -> bool:
        """Whether a span that continues `parent` would be kept: where not, its attributes need not be made."""
        return self._recorder is not None and (parent is None or is_sampled(parent))

    def start(
        self,
        name: str,
        parent: str | None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
    ) -> Span:
        """A new span that continues `parent` (parsed where it came in), or a new trace where there is none."""
        if parent is None:
            if self._recorder is None or random.random() >= self._ratio:  # noqa: S311 - sampling, not a secret
                return Span(new_traceparent(sampled=self._recorder is None and self._ratio >= 1))
        elif not self.records(parent):
            return Span(parent)
        if self._recorder is None:
            return Span(parent)
        recording = Recording(self._recorder, name, parent, kind, attributes)
        return Span(recording.traceparent, recording)

    @contextmanager
    def span(
        self,
        name: str,
        parent: str | None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
    ) -> Iterator[Span]:
        """A span around a block; an exception marks it as failed and passes on."""
        span = self.start(name, parent, kind, attributes)
        try:
            yield span
        except BaseException as error:
            span.end(error)
            raise
        span.end()

    def start_call(
        self, peer: str, operation: str, parent: str | None, attributes: Attributes | None = None, *, name: str = ""
    ) -> Call:
        """A call to `peer` for `operation` (words out of a few: they are labels); its span is called after both."""
        if self.records(parent):
            attributes = {"service.peer.name": peer, **(attributes or {})}
        span = self.start(name or f"{peer} {operation}", parent, SpanKind.CLIENT, attributes)
        return Call(span, peer, operation, self._observe)

    @contextmanager
    def call(
        self, peer: str, operation: str, parent: str | None, attributes: Attributes | None = None, *, name: str = ""
    ) -> Iterator[Call]:
        """The same around a block; an exception marks it as failed and passes on."""
        call = self.start_call(peer, operation, parent, attributes, name=name)
        try:
            yield call
        except BaseException as error:
            call.end(error)
            raise
        call.end()

    def close(self) -> None:
        """Export what is waiting."""
        if self._recorder is not None:
            self._recorder.close()


def new_traceparent(*, sampled: bool) -> str:
    """A traceparent that begins a trace."""
    digits = os.urandom(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-0{int(sampled)}"


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hex digits that name the trace."""
    parsed = parse(traceparent)
    return parsed[3:35] if parsed else None
