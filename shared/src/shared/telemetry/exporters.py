"""Exporters of spans: to an OTLP collector, or to a file of JSON lines on machines without one."""

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace.export import SpanExportResult
from pydantic_core import to_json

from shared.telemetry.recording import Exporter, Recording, SdkExporter


class FileSpanExporter:
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

    def export(self, spans: Sequence[Recording]) -> SpanExportResult:
        """Append them."""
        lines = b"".join(_line(span) for span in spans)
        with self._lock:
            self._file.write(lines)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def exporters(*, otlp_endpoint: str | None, trace_file: Path | None) -> tuple[Exporter, ...]:
    """The exporters that the settings name."""
    configured: list[Exporter] = []
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - 15 MB, where used
            OTLPSpanExporter,
        )

        configured.append(SdkExporter(OTLPSpanExporter(endpoint=f"{otlp_endpoint.rstrip('/')}/v1/traces")))
    if trace_file:
        configured.append(FileSpanExporter(trace_file))
    return tuple(configured)


def _ends_in_half_a_line(path: Path) -> bool:
    """Whether the last line has no newline."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        return file.read() not in {b"", b"\n"}


def _line(span: Recording) -> bytes:
    """In ASCII, so that no character of a text ends the line for any reader."""
    plain = span.plain()
    try:
        return to_json(plain, ensure_ascii=True) + b"\n"
    except ValueError:  # a lone surrogate in a text
        return json.dumps(plain).encode() + b"\n"
