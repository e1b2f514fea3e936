"""Accounts of people, made from the shell that started the stack."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from local_stack.accounts import accounts
from local_stack.errors import LocalStackError
from local_stack.paths import write_private


def test_the_service_makes_them_in_its_own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[list[str], str]] = []

    def run(command: list[str], *, env: dict[str, str], cwd: Path, check: bool) -> SimpleNamespace:
        ran.append((command[1:], env["DATABASE_URL"]))
        return SimpleNamespace(returncode=2)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("local_stack.accounts._terminal", lambda: True)
    with pytest.raises(LocalStackError, match="make up"):
        accounts(tmp_path, "operations", ["list"])
    (tmp_path / "postgres").mkdir()
    write_private(tmp_path / "postgres" / "postgres.json", {"passwords": {"operations": "secret"}})
    write_private(tmp_path / "stack.json", {"ports": {"postgres": 15432}})
    assert accounts(tmp_path, "operations", ["add", "olga", "--role", "operator"]) == 2
    [(words, url)] = ran
    assert words == ["-m", "operations", "accounts", "add", "olga", "--role", "operator"]
    assert url == "postgresql+psycopg://operations:secret@127.0.0.1:15432/operations"


def test_without_a_terminal_it_says_what_to_do_instead() -> None:
    command = [sys.executable, "-m", "local_stack", "accounts", "operations", "add", "olga", "--role", "operator"]
    done = subprocess.run(  # noqa: S603 - our own program
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "There is no terminal to ask for the password at. Write it to standard input instead: "
        "make account NAME=olga ARGS=--password-stdin <file-with-the-password\n"
    )
