"""One trace per order, across hops that wait in tables and topics.

OpenTelemetry's context lives in the running task; our work waits in an outbox, a topic or a row. So a W3C
`traceparent` is carried as data: every message and every due row holds the one it continues, and a span is started
from that text. Where the trace is not sampled this costs a string comparison.
"""

import os
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace as ot
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags

Attributes = Mapping[str, str | int | float | bool]
_TRACEPARENT = re.compile("00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_SAMPLED = "-01"


class Span:
    """A piece of one trace. `traceparent` is what the next hop continues."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, traceparent: str | None, span: ot.Span | None = None) -> None:
        self.traceparent = traceparent
        self._span = span

    def set(self, name: str, value: str | float | bool) -> None:
        if self._span is not None:
            self._span.set_attribute(name, value)

    def end(self, error: BaseException | str | None = None) -> None:
        """Finish. An error is recorded by its type only: its words may hold personal data."""
        if self._span is None:
            return
        if error is not None:
            name = error if isinstance(error, str) else type(error).__name__
            self._span.set_status(Status(StatusCode.ERROR, name))
            self._span.set_attribute("error.type", name)
        self._span.end()


def is_traceparent(value: str | None) -> bool:
    """True for a well-formed W3C traceparent of version 00."""
    return value is not None and _TRACEPARENT.fullmatch(value) is not None


class Tracing:
    """Starts spans for one service. Without exporters traces are still carried on, only not recorded."""

    def __init__(self, service: str, *, exporters: tuple[SpanExporter, ...] = (), ratio: float = 1.0) -> None:
        self._ratio = ratio
        self._provider: TracerProvider | None = None
        self._tracer: ot.Tracer | None = None
        if exporters:
            self._provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
            for exporter in exporters:
                self._provider.add_span_processor(
                    BatchSpanProcessor(exporter, max_queue_size=65536, schedule_delay_millis=500)
                )
            self._tracer = self._provider.get_tracer("esim")

    def records(self, parent: str | None) -> bool:
        """Whether a span that continues `parent` would be kept: where not, its attributes need not be made."""
        return self._tracer is not None and (parent is None or parent.endswith(_SAMPLED))

    def start(
        self,
        name: str,
        parent: str | None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        links: tuple[str, ...] = (),
    ) -> Span:
        """A new span that continues `parent` (checked where it came in), or a new trace where there is none."""
        if parent is None:
            if self._tracer is None or random.random() >= self._ratio:  # noqa: S311 - sampling, not a secret
                return Span(new_traceparent(sampled=self._tracer is None and self._ratio >= 1))
        elif not self.records(parent):
            return Span(parent)
        if self._tracer is None:
            return Span(parent)
        context = ot.set_span_in_context(NonRecordingSpan(_context(parent))) if parent else None
        span = self._tracer.start_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=[Link(_context(link)) for link in links],
        )
        made = span.get_span_context()
        return Span(f"00-{made.trace_id:032x}-{made.span_id:016x}-01", span)

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

    def close(self) -> None:
        """Export what is waiting."""
        if self._provider is not None:
            self._provider.shutdown()


def new_traceparent(*, sampled: bool) -> str:
    """A traceparent that begins a trace."""
    digits = os.urandom(24).hex()
    return f"00-{digits[:32]}-{digits[32:]}-0{int(sampled)}"


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hex digits that name the trace."""
    return traceparent[3:35] if is_traceparent(traceparent) and traceparent else None


def _context(traceparent: str) -> SpanContext:
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )
