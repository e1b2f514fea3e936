"""What continuous integration runs, with a `make` that only notes what it was asked for."""

import os
import shutil
import subprocess
from pathlib import Path

from local_stack.paths import WORK_TREE


def run(tmp_path: Path, make: str, *, longest: int = 30) -> "subprocess.CompletedProcess[str]":
    (tmp_path / ".ci").mkdir()
    script = (WORK_TREE / ".ci" / "run").read_text().replace("longest_minutes=30", f"longest_minutes={longest}")
    (tmp_path / ".ci" / "run").write_text(script)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "make").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n{make}\n')
    (programs / "make").chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run(  # noqa: S603 - our own script
        [str(shutil.which("bash")), ".ci/run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def asked(tmp_path: Path) -> list[str]:
    return (tmp_path / "asked").read_text().splitlines()


def test_every_part_runs_and_says_how_long_it_took(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 0
    assert asked(tmp_path) == ["setup", "lint", "audit ARGS=--offline", "test"]
    table = done.stdout.splitlines()[-6:]
    assert [line.split()[0] for line in table] == ["set-up", "lint", "audit", "promtool", "tests", "all"]
    assert all(" 0 min " in line for line in table)
    assert "!!!!" not in done.stderr


def test_a_part_that_fails_fails_the_run_and_the_others_run_all_the_same(tmp_path: Path) -> None:
    done = run(tmp_path, '[ "$1" != lint ] || exit 3')
    assert done.returncode == 1
    assert asked(tmp_path)[-1] == "test"
    assert any(line.startswith("lint") and line.endswith("FAILED (exit 3)") for line in done.stdout.splitlines())


def test_without_set_up_nothing_else_is_tried(tmp_path: Path) -> None:
    done = run(tmp_path, "exit 2")
    assert done.returncode == 1
    assert asked(tmp_path) == ["setup"]


def test_a_run_that_took_too_long_says_so_loudly(tmp_path: Path) -> None:
    done = run(tmp_path, "", longest=-1)
    assert done.returncode == 0
    assert "!!!! This run took longer than" in done.stderr
