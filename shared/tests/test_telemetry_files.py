"""Spans in a file, whatever becomes of who writes them."""

import json
from pathlib import Path

import pytest

from shared.telemetry.exporters import FileSpanExporter
from shared.telemetry.tracing import Tracing


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
    assert '"name": "killed"' in torn


def test_a_file_that_ends_whole_is_carried_on(tmp_path: Path) -> None:
    file = tmp_path / "new" / "spans.jsonl"
    record(file)
    assert file.read_bytes() == b""
    record(file, "first")
    record(file, "second")
    assert names(file.read_text().splitlines()) == ["first", "second"]
