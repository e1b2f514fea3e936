import os
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


def test_an_empty_path_gives_one_line_that_names_the_packages(tmp_path: Path) -> None:
    done = check(PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "Missing: a Java runtime, version 17 or later, and Maven. Install with: "
        "apt install openjdk-17-jre-headless maven (Debian, Ubuntu) or brew install openjdk maven (macOS).\n"
    )


def test_an_old_java_is_named(tmp_path: Path) -> None:
    program(tmp_path, "java", 'openjdk version "1.8.0_402"')
    program(tmp_path, "mvn", "")
    done = check(PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Missing: a Java runtime, version 17 or later (found: 8). Install with: apt install ")
    assert "maven" not in done.stderr


def test_only_maven_is_missing(tmp_path: Path) -> None:
    program(tmp_path, "java", 'openjdk version "21.0.2" 2024-01-16')
    done = check(PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("Missing: Maven. Install with: apt install maven (")


def test_both_are_there(tmp_path: Path) -> None:
    program(tmp_path, "java", 'openjdk version "17" 2021-09-14')
    program(tmp_path, "mvn", "")
    done = check(PATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_java_home_counts(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "java", 'openjdk version "17.0.1"')
    program(tmp_path, "mvn", "")
    assert check(PATH=str(tmp_path), JAVA_HOME=str(tmp_path)).returncode == 0


def test_this_machine_has_what_the_tests_need() -> None:
    assert check("tests", **os.environ).returncode == 0


def test_the_tests_ask_for_a_browser_and_the_tour_does_not(tmp_path: Path) -> None:
    program(tmp_path, "java", 'openjdk version "17" 2021-09-14')
    program(tmp_path, "mvn", "")
    assert check(PATH=str(tmp_path)).returncode == 0
    done = check("tests", PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "Missing: Chromium (the tests open pages in it). Install with: "
        "apt install chromium (Debian, Ubuntu) or brew install chromium (macOS).\n"
    )
    program(tmp_path, "chromium-browser", "")
    assert check("tests", PATH=str(tmp_path)).returncode == 0
