"""Accounts of people, made from the shell that started the stack."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local_stack.accounts import accounts
from local_stack.errors import LocalStackError
from local_stack.paths import write_private


def test_the_service_makes_them_in_its_own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[Any] = []

    def run(command: list[str], *, env: dict[str, str], cwd: Path, check: bool) -> Any:
        ran.append((command[1:], env["DATABASE_URL"]))
        return SimpleNamespace(returncode=2)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(LocalStackError, match="make up"):
        accounts(tmp_path, "operations", ["list"])
    (tmp_path / "postgres").mkdir()
    write_private(tmp_path / "postgres" / "postgres.json", {"passwords": {"operations": "secret"}})
    write_private(tmp_path / "stack.json", {"ports": {"postgres": 15432}})
    assert accounts(tmp_path, "operations", ["add", "olga", "--role", "operator"]) == 2
    [(words, url)] = ran
    assert words == ["-m", "operations", "accounts", "add", "olga", "--role", "operator"]
    assert url == "postgresql+psycopg://operations:secret@127.0.0.1:15432/operations"
