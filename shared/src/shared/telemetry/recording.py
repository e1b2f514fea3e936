"""Records spans as plain values; an SDK span is made only for an exporter that needs one.

The SDK's own span protects itself with locks and limits against many threads and unknown callers, and costs ten times
as much. Here one asyncio task begins and ends a span, with attributes named in the code.
"""

import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

Value = str | int | float | bool
_SCOPE = InstrumentationScope("esim")
_FLAGS = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)


class Exporter(Protocol):
    """Where ended spans go; called from a thread."""

    def export(self, spans: "Sequence[Recording]") -> SpanExportResult: ...

    def shutdown(self) -> None: ...


class SdkExporter:
    """Hands spans to an exporter of the SDK."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: "Sequence[Recording]") -> SpanExportResult:
        """Make SDK spans and export them."""
        return self._exporter.export([span.readable() for span in spans])

    def shutdown(self) -> None:
        """Shut it down."""
        self._exporter.shutdown()


class Recorder:
    """Exports ended spans of one service in batches, from a thread of its own."""

    def __init__(self, service: str, exporters: Sequence[Exporter]) -> None:
        self.service = service
        self.resource = Resource.create({"service.name": service})
        self._processors = [
            BatchSpanProcessor(cast("SpanExporter", exporter), max_queue_size=65536, schedule_delay_millis=500)
            for exporter in exporters
        ]

    def take(self, span: "Recording") -> None:
        """Queue an ended span. The processor reads its `context` and hands it on as it is."""
        for processor in self._processors:
            processor.on_end(cast("ReadableSpan", span))

    def close(self) -> None:
        """Export what is waiting."""
        for processor in self._processors:
            processor.shutdown()  # type: ignore[no-untyped-call] # the SDK leaves it untyped


class Recording:
    """A span that has begun. `parent` is a valid W3C traceparent, or None where a trace begins here."""

    __slots__ = (
        "_attributes",
        "_began",
        "_ended",
        "_failure",
        "_id",
        "_kind",
        "_name",
        "_parent",
        "_recorder",
        "_trace",
    )
    #: For the SDK's processor, which exports only what is sampled.
    context = SpanContext(1, 1, is_remote=False, trace_flags=_FLAGS)

    def __init__(
        self,
        recorder: Recorder,
        name: str,
        parent: str | None,
        kind: SpanKind,
        attributes: Mapping[str, Value] | None,
    ) -> None:
        self._recorder = recorder
        self._name = name
        self._parent = parent
        self._kind = kind
        self._attributes = {} if attributes is None else dict(attributes)
        self._failure: str | None = None
        self._trace = parent[3:35] if parent else f"{random.getrandbits(128) or 1:032x}"
        self._id = random.getrandbits(64) or 1
        self._began = time.time_ns()

    @property
    def traceparent(self) -> str:
        """The traceparent of this span, for the next hop."""
        return f"00-{self._trace}-{self._id:016x}-01"

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes."""
        self._attributes.update(attributes)

    def rename(self, name: str) -> None:
        self._name = name

    def fail(self, reason: str) -> None:
        """Mark it as failed. `reason` is one of a few fixed words."""
        self._failure = self._attributes["error.type"] = reason

    def end(self) -> None:
        """End it and hand it to the exporters."""
        self._ended = time.time_ns()
        self._recorder.take(self)

    def plain(self) -> dict[str, object]:
        """The ended span: name, kind, trace, span, parent, start and end (ns), attributes, status, links."""
        return {
            "service": self._recorder.service,
            "name": self._name,
            "kind": self._kind.name,
            "trace": self._trace,
            "span": f"{self._id:016x}",
            "parent": self._parent[36:52] if self._parent else None,
            "start": self._began,
            "end": self._ended,
            "attributes": self._attributes,
            "status": "ERROR" if self._failure else "UNSET",
            "links": (),
        }

    def readable(self) -> ReadableSpan:
        """The ended span as the SDK has it."""
        return ReadableSpan(
            self._name,
            context=SpanContext(int(self._trace, 16), self._id, is_remote=False, trace_flags=_FLAGS),
            parent=context_of(self._parent) if self._parent else None,
            resource=self._recorder.resource,
            attributes=self._attributes,
            kind=self._kind,
            status=Status(StatusCode.ERROR, self._failure) if self._failure else _UNSET,
            start_time=self._began,
            end_time=self._ended,
            instrumentation_scope=_SCOPE,
        )


def context_of(traceparent: str) -> SpanContext:
    """OpenTelemetry's form of a valid W3C traceparent."""
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:], 16)),
    )
