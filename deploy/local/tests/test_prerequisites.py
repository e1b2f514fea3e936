import os
import re
import shutil
import subprocess
from pathlib import Path

from local_stack.paths import LOCAL

SCRIPT = LOCAL / "prerequisites"


def check(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command: list[str | Path] = ["/bin/sh", SCRIPT, *arguments]
    return subprocess.run(  # noqa: S603 - our own script
        command, env=environment, capture_output=True, text=True, check=False
    )


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    path.chmod(0o755)


def all_but(tmp_path: Path, *lacking: str) -> Path:
    """A folder with everything that a machine needs for the tests, but for these."""
    program(tmp_path, "id", "")
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    for name, says in {
        "java": 'openjdk version "17" 2021-09-14',
        "mvn": "",
        "uv": "",
        "chromium": "",
        "curl": "",
        "apt-get": "",
    }.items():
        if name not in lacking:
            program(tmp_path, name, says)
    return tmp_path


def test_with_everything_there_it_says_nothing(tmp_path: Path) -> None:
    done = check("tests", PATH=str(all_but(tmp_path)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_where_nothing_is_there_one_line_names_everything(tmp_path: Path) -> None:
    done = check("tests", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for word in ("Java", "Maven", "Python", "Chromium", "neither apt-get nor brew"):
        assert word in done.stderr


def test_with_no_install_one_line_has_the_exact_command(tmp_path: Path) -> None:
    done = check(PATH=str(all_but(tmp_path, "java", "mvn")), NO_INSTALL="1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        r"Missing: a Java runtime, 17 or later, which runs Kafka; Maven, which downloads Kafka\. "
        r"NO_INSTALL is set; install with: sudo apt-get install -y --no-install-recommends \S+-jre-headless maven\n",
        done.stderr,
    )


def test_without_the_right_to_install_nothing_is_tried(tmp_path: Path) -> None:
    folder = all_but(tmp_path, "mvn")
    (folder / "sudo").write_text("#!/bin/sh\nexit 1\n")
    (folder / "sudo").chmod(0o755)
    (folder / "apt-get").write_text(f"#!/bin/sh\necho called >>{tmp_path}/called\n")
    done = check(PATH=str(folder))
    assert done.returncode == 1
    assert done.stderr.endswith("Install with: sudo apt-get install -y --no-install-recommends maven\n")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "called").exists()


def installs(folder: Path, *, brings: str) -> None:
    """A sudo that runs what it is given, and an apt-get that puts a program there when it is asked for a package."""
    (folder / "sudo").write_text('#!/bin/sh\nshift\n[ "$1" = true ] || exec "$@"\n')
    (folder / "apt-get").write_text(
        f'#!/bin/sh\necho "$DEBIAN_FRONTEND $*" >>{folder}/called\n'
        f'case "$*" in *install*) cp {folder}/uv {folder}/{brings};; esac\n'
    )
    for name in ("sudo", "apt-get"):
        (folder / name).chmod(0o755)
    for name in ("cat", "cp", "cut", "env", "grep", "mktemp", "rm", "sh", "sleep", "tail", "tr"):
        (folder / name).symlink_to(str(shutil.which(name)))


def test_with_sudo_that_asks_no_password_it_installs_and_looks_again(tmp_path: Path) -> None:
    installs(all_but(tmp_path, "mvn"), brings="mvn")
    done = check(PATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    first = done.stderr.splitlines()[0]
    assert first.startswith("Installing with “sudo apt-get install -y --no-install-recommends maven”: Maven, which")
    called = (tmp_path / "called").read_text().splitlines()
    assert all(line.startswith("noninteractive ") for line in called)
    assert called[-1].endswith("install -y --no-install-recommends maven")


def test_what_is_still_missing_afterwards_is_said(tmp_path: Path) -> None:
    installs(all_but(tmp_path, "mvn"), brings="something-else")
    done = check(PATH=str(tmp_path))
    assert done.returncode == 1
    assert "Installed, and still missing: Maven" in done.stderr


def test_an_old_java_is_named(tmp_path: Path) -> None:
    program(all_but(tmp_path), "java", 'openjdk version "1.8.0_402"')
    done = check(PATH=str(tmp_path), NO_INSTALL="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Missing: a Java runtime, 17 or later (found: 8), which runs Kafka. NO_INSTALL ")


def test_java_home_counts(tmp_path: Path) -> None:
    (all_but(tmp_path, "java") / "bin").mkdir()
    program(tmp_path / "bin", "java", 'openjdk version "17.0.1"')
    assert check(PATH=str(tmp_path), JAVA_HOME=str(tmp_path)).returncode == 0


def test_a_python_without_venv_is_none(tmp_path: Path) -> None:
    python = all_but(tmp_path, "uv") / "python3"
    for code, missing in ((1, True), (0, False)):
        python.write_text(f"#!/bin/sh\nexit {code}\n")
        python.chmod(0o755)
        done = check(PATH=str(tmp_path), NO_INSTALL="1")
        assert ("python3-venv" in done.stderr) is missing


def test_the_tests_ask_for_a_browser_and_the_tour_does_not(tmp_path: Path) -> None:
    folder = str(all_but(tmp_path, "chromium"))
    assert check(PATH=folder).returncode == 0
    done = check("tests", PATH=folder, NO_INSTALL="1")
    assert done.returncode == 1
    assert "Chromium with a font" in done.stderr
    assert done.stderr.rstrip().endswith("fonts-dejavu-core")
    program(tmp_path, "chromium-browser", "")
    assert check("tests", PATH=folder).returncode == 0


def test_this_machine_has_what_the_tests_need() -> None:
    assert check("tests", NO_INSTALL="1", **os.environ).returncode == 0


def test_a_step_shows_what_it_does_and_says_all_only_when_it_fails() -> None:
    def step(script: str) -> "subprocess.CompletedProcess[str]":
        command: list[str | Path] = [LOCAL / "step", "Doing a thing", "sh", "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own script

    quiet = step("echo one")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "Doing a thing\n")
    loud = step("echo one; echo two >&2; exit 3")
    assert (loud.returncode, loud.stderr) == (3, "Doing a thing\none\ntwo\n")
    long = step("echo one; sleep 6; echo two")
    assert long.stderr == "Doing a thing\n  … 5 s: one\n"
