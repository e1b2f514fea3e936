"""The last release's own tests on the database of now: what worked on the old shape works on the new one."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from release.history import NAMES, export, last_release
from release.new_schema import NOW


@dataclass(frozen=True)
class Command:
    """A run of pytest in a released tree."""

    words: Sequence[str]
    tree: Path
    environment: Mapping[str, str]

    def run(self, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run it; `options` are subprocess.run's."""
        return subprocess.run(  # noqa: S603 - our own interpreter
            self.words, cwd=self.tree, env=dict(self.environment), text=True, check=False, **options
        )


#: What compares a database with the release's own idea of it, or runs its migrations one by one.
_OF_THE_SHAPE = ("test_tables.py", "test_migration.py")
#: For continuous integration: tests that store facts and due work, read facts twice, and put records aside.
SELECTION = {
    "ordering": ("test_submissions.py",),
    "payments": ("test_charging_twice.py",),
    "provisioning": ("test_service.py",),
    "notifications": ("test_service.py",),
    "refunds": ("test_service.py",),
}


def commands(services: Sequence[str] = NAMES, *, everything: bool = False) -> list[Command]:
    """How to run them, services that were released together at once. Raises NoHistoryError."""
    commits = {last_release(name).commit for name in services}
    return [
        _command(export(commit), [name for name in services if last_release(name).commit == commit], everything)
        for commit in sorted(commits)
    ]


def _command(tree: Path, services: Sequence[str], everything: bool) -> Command:
    folders = {name: Path("services") / name / "tests" for name in services}
    chosen = [folder / test for name, folder in folders.items() for test in ([""] if everything else SELECTION[name])]
    ignored = [f"--ignore={folder / name}" for folder in folders.values() for name in _OF_THE_SHAPE]
    sources = [tree / "shared" / "src", *sorted(tree.glob("services/*/src")), *sorted(tree.glob("deploy/*/src"))]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, sources)),
        NOW: os.environ.get("PYTHONPATH", ""),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    words = [sys.executable, "-m", "pytest", "-p", "release.new_schema", "-p", "no:cacheprovider", *ignored]
    return Command([*words, *map(str, chosen)], tree, environment)


def main(services: Sequence[str]) -> int:
    """Run all tests of these services' last releases. Returns the exit code of those that failed last, or 0."""
    codes = [one.run().returncode for one in commands(services, everything=True)]
    return next((code for code in reversed(codes) if code), 0)
