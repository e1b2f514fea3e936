"""Exporters of spans: to an OTLP collector, or to a file of JSON lines on machines without one."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult


class FileSpanExporter(SpanExporter):
    """Appends one JSON object per span: name, kind, trace, span, parent, start and end (ns), attributes, status.

    A process that is killed during a write leaves half a line; the next process begins a new line, so that only that
    half is lost. Readers skip it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: a batch is one write, which writes of other processes cannot interrupt.
        self._file = path.open("ab", buffering=0)
        if _ends_in_half_a_line(path):
            self._file.write(b"\n")
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        lines = "".join(json.dumps(_plain(span)) + "\n" for span in spans)
        with self._lock:
            self._file.write(lines.encode())
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        with self._lock:
            self._file.close()


def exporters(*, otlp_endpoint: str | None, trace_file: Path | None) -> tuple[SpanExporter, ...]:
    """The exporters that the settings name."""
    configured: list[SpanExporter] = []
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 15 MB, where used
            OTLPSpanExporter,
        )

        configured.append(OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces"))
    if trace_file:
        configured.append(FileSpanExporter(trace_file))
    return tuple(configured)


def _ends_in_half_a_line(path: Path) -> bool:
    """Whether the last line has no newline."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        return file.read() not in {b"", b"\n"}


def _plain(span: ReadableSpan) -> dict[str, object]:
    context = span.get_span_context()
    return {
        "service": span.resource.attributes.get("service.name"),
        "name": span.name,
        "kind": span.kind.name,
        "trace": f"{context.trace_id:032x}" if context else None,
        "span": f"{context.span_id:016x}" if context else None,
        "parent": f"{span.parent.span_id:016x}" if span.parent else None,
        "start": span.start_time,
        "end": span.end_time,
        "attributes": dict(span.attributes or {}),
        "status": span.status.status_code.name,
        "links": [f"{link.context.trace_id:032x}-{link.context.span_id:016x}" for link in span.links],
    }
