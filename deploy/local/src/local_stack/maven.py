"""Maven, which downloads what is published for Java; which registry answers is a matter of its own settings."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from local_stack.errors import ComponentFailedError, LocalStackError
from local_stack.programs import run
from local_stack.waiting import downloaded, waiting


def pinned(pom: Path, name: str) -> str:
    """The version that a pom's property `<name>.version` pins. Raises LocalStackError when there is none."""
    match = re.search(rf"<{name}\.version>([^<]+)<", pom.read_text(encoding="utf-8"))
    if match is None:
        raise LocalStackError(f"{pom} does not pin {name}.version")
    return match[1]


def dependencies(pom: Path) -> list[str]:
    """Maven's arguments for all that a pom needs at run time."""
    goal = "org.apache.maven.plugins:maven-dependency-plugin:copy-dependencies"
    return ["-f", str(pom), goal, "-DincludeScope=runtime"]


def artifact(coordinates: str) -> list[str]:
    """Maven's arguments for one file, `group:artifact:version`."""
    return ["org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", f"-Dartifact={coordinates}"]


def download(
    what: str, arguments: Sequence[str], folder: Path, expected: str, *, log: Path, seconds: float
) -> list[Path]:
    """Let Maven put files into `folder`; returns those whose names match `expected`. Its output goes to `log`.

    Raises LocalStackError without Maven, and ComponentFailedError when it fails or brings nothing of that name.
    """
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalStackError(f"there is no Maven (mvn) to download {what} with; install the package `maven`")
    with waiting(f"Downloading {what} by Maven, once per machine", lambda: downloaded(log)):
        done = run([maven, "-B", *arguments, f"-DoutputDirectory={folder}"], seconds=seconds, log=log)
    found = sorted(folder.glob(expected))
    if done.returncode != 0 or not found:
        raise ComponentFailedError(f"The download of {what} by Maven", "did not succeed", log)
    return found
