"""The results are written also where nothing has made the folder yet, and where a later scenario fails."""

import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench import __main__ as command
from shared.testing.documents import JsonObject


def test_the_first_run_on_a_machine_writes_its_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_scenarios: Sequence[str], _arguments: Namespace, results: JsonObject) -> None:
        results["scenarios"] = {}
        raise LookupError("a later scenario has failed")

    monkeypatch.setattr(command, "run", run)
    monkeypatch.setattr(command, "show", lambda _results: None)
    monkeypatch.setattr(command, "run_dir", lambda name: tmp_path / ".run" / name)
    monkeypatch.setattr(sys, "argv", ["bench", "costs"])
    with pytest.raises(LookupError):
        command.main()
    assert json.loads((tmp_path / ".run" / "bench" / "latest.json").read_text()) == {"scenarios": {}}
