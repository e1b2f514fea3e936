"""The exercise on a stack that is not as it should be, and on one that is."""

from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from local_stack import detached
from local_stack.paths import write_private
from tour import exercise, troubles


def test_a_stack_without_its_database_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(exercise, "run_dir", lambda _name: tmp_path)
    monkeypatch.setattr(detached, "running", lambda _directory: None)
    assert exercise.main() == 1
    assert capsys.readouterr().err == "The stack is not running: make up\n"
    monkeypatch.setattr(detached, "running", lambda _directory: SimpleNamespace())
    assert exercise.main() == 1
    assert capsys.readouterr().err == "There is no database of provisioning yet: make up\n"


def test_the_range_is_used_up_as_the_databases_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[str] = []

    def connect(url: str, *, autocommit: bool) -> NoReturn:
        assert autocommit
        connected.append(url)
        raise ConnectionRefusedError

    monkeypatch.setattr(exercise, "run_dir", lambda _name: tmp_path)
    monkeypatch.setattr(detached, "running", lambda _directory: SimpleNamespace())
    monkeypatch.setattr(troubles, "psycopg", SimpleNamespace(connect=connect))
    (tmp_path / "postgres").mkdir()
    write_private(tmp_path / "postgres" / "postgres.json", {"passwords": {"provisioning_owner": "secret"}})
    ports = dict.fromkeys(("postgres", "ordering", "payments", "provisioning", "refunds", "sandbox"), 1)
    kept = {"ports": ports, "agent_keys": {"a": "k"}, "seal_keys": {"refunds": "k"}}
    write_private(tmp_path / "stack.json", kept)
    with pytest.raises(ConnectionRefusedError):
        exercise.main()
    assert connected == ["postgresql://provisioning_owner:secret@127.0.0.1:1/provisioning"]
