"""The images: every folder of the work tree with a Dockerfile, and the lock file beside it."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORK_TREE = Path(__file__).resolve().parents[4]
#: What images run on, for the environment markers of requirements (PEP 508). Locks hold for other machines too.
MARKERS = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_version": "3.11",
    "python_full_version": "3.11.0",
    "sys_platform": "linux",
    "extra": "",
}
_FROM = re.compile(r"^FROM\s+(?:--platform=\S+\s+)?(?P<name>\S+)", re.MULTILINE)
_IMAGE = re.compile(r"^\s+image:\s*(?P<name>\S+)", re.MULTILINE)
_OURS = "esim-fulfilment/"


@dataclass(frozen=True, slots=True)
class Image:
    """One image of ours: what its folder says about it."""

    folder: Path

    @property
    def name(self) -> str:
        """As in docker-compose.yml, after `esim-fulfilment/`."""
        return self.folder.name

    @property
    def lock(self) -> Path:
        """The requirements it installs, with hashes."""
        return self.folder / "requirements.lock"

    @property
    def bill(self) -> Path:
        """Its bill of materials, in the image as /sbom.json."""
        return self.folder / "sbom.json"

    @property
    def dockerfile(self) -> Path:
        """How it is built."""
        return self.folder / "Dockerfile"

    @property
    def project(self) -> dict[str, Any]:
        """The `[project]` table of its pyproject.toml."""
        text = (self.folder / "pyproject.toml").read_text(encoding="utf-8")
        project: dict[str, Any] = tomllib.loads(text)["project"]
        return project

    @property
    def base(self) -> str:
        """The image its last stage starts from."""
        return str(_FROM.findall(self.dockerfile.read_text(encoding="utf-8"))[-1])


def find(tree: Path = WORK_TREE) -> list[Image]:
    """All images of ours, by name."""
    return [Image(path.parent) for path in sorted(tree.glob("*/*/Dockerfile"))]


def others(tree: Path = WORK_TREE) -> set[str]:
    """The images that are not ours: what Dockerfiles start from and docker-compose.yml runs."""
    names = {name for image in find(tree) for name in _FROM.findall(image.dockerfile.read_text(encoding="utf-8"))}
    composed = (tree / "docker-compose.yml").read_text(encoding="utf-8")
    return {name for name in names | set(_IMAGE.findall(composed)) if not name.startswith(_OURS)}


def loose(names: set[str]) -> list[str]:
    """Those that name no version: without a tag, or with one that is meant to move."""
    return sorted(name for name in names if _tag(name) in ("", "latest", "main", "edge") and "@sha256:" not in name)


def _tag(name: str) -> str:
    return name.partition("@")[0].rpartition("/")[2].partition(":")[2]
