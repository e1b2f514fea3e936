import shutil
import subprocess
from pathlib import Path

import pytest

from local_stack.paths import WORK_TREE

ROOM = WORK_TREE / "deploy" / "clean_room"


def run(programs: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [str(shutil.which("bash")), str(ROOM / "run"), *arguments]
    environment = {"PATH": str(programs), "HOME": str(programs)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Everything but debootstrap, for a user who is root."""
    scripts = {"uname": "echo Linux", "id": "echo 0"} | dict.fromkeys(
        ("debootstrap", "unshare", "chroot", "tar", "git", "flock"), ""
    )
    for name, script in scripts.items():
        (tmp_path / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "dirname").symlink_to(str(shutil.which("dirname")))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "script", "words"),
    [
        ("id", "echo 1000", "it needs root"),
        ("uname", "echo Darwin", "Linux namespaces"),
        ("unshare", "exit 1", "root may not make namespaces here"),
    ],
)
def test_where_the_rights_are_missing_it_says_so(programs: Path, name: str, script: str, words: str) -> None:
    (programs / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
    done = run(programs)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("No clean room: ")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_option_that_it_does_not_know_is_refused(programs: Path) -> None:
    done = run(programs, "--relaese", "trixie")
    assert (done.returncode, done.stderr) == (2, "No clean room: there is no option --relaese\n")
