"""Prometheus' own checker, `promtool`: of this machine, or built from Prometheus' source into the cache.

`python -m local_stack.promtool` builds it where Go is: minutes, and a gigabyte of modules, so no test does it unasked.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.go import go
from local_stack.locks import locked
from local_stack.paths import cache_dir

#: The module's version of the Prometheus 3.6.0 that docker-compose.yml runs.
VERSION = "v0.306.0"
BUILD_SECONDS = 3600.0
#: Without the discovery of machines in twenty clouds, which would be most of it.
_TAGS = "remove_all_sd"


def _built() -> Path:
    return cache_dir() / f"promtool-{VERSION}" / "promtool"


def find() -> Path:
    """`promtool` from the PATH or the cache. Raises LocalStackError with how to get it."""
    installed = shutil.which("promtool")
    if installed:
        return Path(installed)
    if _built().exists():
        return _built()
    raise LocalStackError(
        "promtool is missing, so the alarms were not tried out. Build it with Go: "
        ".venv/bin/python -m local_stack.promtool; or install it: apt install prometheus"
    )


def build() -> Path:
    """Build the pinned one, once per machine. Raises LocalStackError without Go, and where the build fails."""
    binary = _built()
    with locked(binary.parent.with_name(f"{binary.parent.name}.lock"), BUILD_SECONDS):
        if not binary.exists():
            binary.parent.mkdir(parents=True, exist_ok=True)
            source = json.loads(_go(["mod", "download", "-json", f"github.com/prometheus/prometheus@{VERSION}"]))["Dir"]
            with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
                made = Path(scratch) / "promtool"
                flags = ["-tags", _TAGS, "-ldflags", "-s -w"]
                # Not `go install`: it takes no module that replaces others, and Prometheus does.
                _go(["build", "-v", *flags, "-o", str(made), "./cmd/promtool"], Path(source))
                made.rename(binary)
    return binary


def _go(arguments: list[str], folder: Path | None = None) -> str:
    return go(
        arguments,
        missing="there is no Go to build promtool with; install it, or: apt install prometheus",
        step="The build of promtool",
        log=_built().with_name("build.log"),
        seconds=BUILD_SECONDS,
        environment={"GOFLAGS": "", "CGO_ENABLED": "0"},
        folder=folder,
    )


if __name__ == "__main__":
    try:
        print(build())
    except LocalStackError as error:
        sys.exit(str(error))
