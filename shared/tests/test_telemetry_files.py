"""Spans in a file, whatever becomes of who writes them, and for an exporter of the SDK."""

import json
from pathlib import Path

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from shared.telemetry.exporters import FileSpanExporter
from shared.telemetry.recording import SdkExporter
from shared.telemetry.tracing import Tracing, new_traceparent


def record(path: Path, *names: str) -> None:
    tracing = Tracing("toy", exporters=(FileSpanExporter(path),))
    for name in names:
        tracing.start(name, None).end()
    tracing.close()


def names(lines: list[str]) -> list[str]:
    return [json.loads(line)["name"] for line in lines]


@pytest.mark.parametrize("cut", [1, 2, 40])
def test_half_a_line_of_a_killed_process_costs_no_other_span(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "spans.jsonl"
    record(file, "first", "killed")
    file.write_bytes(file.read_bytes()[:-cut])
    record(file, "second")
    first, torn, second = file.read_text().splitlines()
    assert names([first, second]) == ["first", "second"]
    assert '"name":"killed"' in torn


def test_a_file_that_ends_whole_is_carried_on(tmp_path: Path) -> None:
    file = tmp_path / "new" / "spans.jsonl"
    record(file)
    assert file.read_bytes() == b""
    record(file, "first")
    record(file, "second")
    assert names(file.read_text().splitlines()) == ["first", "second"]


def test_no_text_costs_a_span_or_ends_its_line(tmp_path: Path) -> None:
    texts = ["first", "odd \ud800", "next\u2028line\u0085", "last"]
    record(tmp_path / "spans.jsonl", *texts)
    assert names((tmp_path / "spans.jsonl").read_text().splitlines()) == texts


def test_an_exporter_of_the_sdk_gets_its_spans(tmp_path: Path) -> None:
    parent, exporter, file = new_traceparent(sampled=True), InMemorySpanExporter(), tmp_path / "spans.jsonl"
    tracing = Tracing("toy", exporters=(SdkExporter(exporter), FileSpanExporter(file)))
    span = tracing.start("failing", parent, SpanKind.CLIENT, {"http.request.method": "GET"})
    span.end(TimeoutError())
    tracing.close()
    [exported], plain = exporter.get_finished_spans(), json.loads(file.read_text())
    assert exported.resource.attributes["service.name"] == plain["service"] == "toy"
    assert exported.context is not None
    assert exported.parent is not None
    assert f"{exported.context.trace_id:032x}" == plain["trace"] == parent[3:35]
    assert f"{exported.context.span_id:016x}" == plain["span"]
    assert f"{exported.parent.span_id:016x}" == plain["parent"] == parent[36:52]
    assert exported.attributes == plain["attributes"] == {"http.request.method": "GET", "error.type": "TimeoutError"}
    assert exported.status.status_code is StatusCode.ERROR
    assert (exported.name, exported.kind, plain["status"]) == ("failing", SpanKind.CLIENT, "ERROR")
