"""What the charts are checked with, fetched once per machine into the cache: Helm, and the operators' own schemas.

All come as Go modules through Go's own module proxy, pinned and checked against Go's checksum database: Helm is built
from its source, of the operators only the definitions of their resources are kept.
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from local_stack.errors import LocalStackError
from local_stack.go import go
from local_stack.locks import locked
from local_stack.paths import cache_dir

HELM_VERSION = "v3.22.0"
OLDEST_HELM = (3, 14)
#: The Kubernetes that the charts are rendered and validated for.
KUBERNETES = "1.34"
_SECONDS = 900.0


@dataclass(frozen=True)
class Definitions:
    """Where an operator's module keeps its CustomResourceDefinitions."""

    module: str
    version: str
    files: str


OPERATORS = (
    Definitions("github.com/cloudnative-pg/cloudnative-pg", "v1.29.0", "config/crd/bases/*.yaml"),
    Definitions("github.com/kedacore/keda/v2", "v2.18.0", "config/crd/bases/*.yaml"),
    Definitions(
        "github.com/prometheus-operator/prometheus-operator", "v0.85.0", "example/prometheus-operator-crd/*.yaml"
    ),
)


def helm() -> Path:
    """Helm: one that is installed, else the pinned one, which the first caller builds in a minute or two.

    Raises LocalStackError where there is neither Helm nor Go.
    """
    installed = shutil.which("helm")
    if installed is not None and _version(installed) >= OLDEST_HELM:
        return Path(installed)
    binary = cache_dir() / f"helm-{HELM_VERSION}" / "helm"
    with locked(cache_dir() / f"helm-{HELM_VERSION}.lock", _SECONDS):
        if not binary.exists():
            _build(binary)
    return binary


def definitions() -> tuple[Path, ...]:
    """Folders with the operators' CustomResourceDefinitions. Raises LocalStackError without Go."""
    return tuple(_fetched(operator) for operator in OPERATORS)


def _version(binary: str) -> tuple[int, ...]:
    done = subprocess.run([binary, "version", "--short"], capture_output=True, text=True, check=False)  # noqa: S603 - a program of the machine
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else (0,)


def _build(binary: Path) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    flags = f"-s -w -X helm.sh/helm/v3/internal/version.version={HELM_VERSION}"
    with tempfile.TemporaryDirectory(dir=binary.parent) as scratch:
        target = f"helm.sh/helm/v3/cmd/helm@{HELM_VERSION}"
        command = ("install", "-v", "-trimpath", "-ldflags", flags, target)
        _go(*command, step="The build of Helm", log=binary.parent, GOBIN=scratch)
        (Path(scratch) / "helm").rename(binary)


def _fetched(operator: Definitions) -> Path:
    name = f"crds-{operator.module.rsplit('github.com/', 1)[-1].replace('/', '-')}-{operator.version}"
    folder = cache_dir() / name
    with locked(cache_dir() / f"{name}.lock", _SECONDS):
        if not folder.exists():
            command = ("mod", "download", "-json", f"{operator.module}@{operator.version}")
            answer = _go(*command, step=f"The download of {operator.module}", log=cache_dir())
            found = sorted(Path(json.loads(answer)["Dir"]).glob(operator.files))
            if not found:
                raise LocalStackError(f"{operator.module} {operator.version} has no {operator.files}")
            with tempfile.TemporaryDirectory(dir=cache_dir()) as scratch:
                draft = Path(scratch) / name
                draft.mkdir()
                for path in found:
                    # Modules are read-only in Go's cache; these are for whoever cleans ours.
                    (draft / path.name).write_bytes(path.read_bytes())
                draft.rename(folder)
    return folder


def _go(*arguments: str, step: str, log: Path, **variables: str) -> str:
    """Standard output of a Go command, run outside any module."""
    return go(
        arguments,
        missing="there is no Go to build Helm and to fetch the operators' schemas with; install Go 1.21 or later "
        "(apt install golang-go on Debian 13 and Ubuntu 24.04, brew install go on macOS, or from go.dev/dl)",
        step=step,
        log=log / "go.log",
        seconds=_SECONDS,
        environment={"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "auto", "GO111MODULE": "on", **variables},
    )
