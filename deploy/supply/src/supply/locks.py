"""Lock files: everything pinned, everything with a hash, and nothing but what pyproject.toml files ask for."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from supply.graph import Closure, NotInstalledError, Requires, Workspace, closure, required
from supply.images import MARKERS, WORK_TREE, Image, find, loose, others

_HASH = re.compile(r"--hash=(\S+)")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class LockError(ValueError):
    """A lock file, or a line of one, is not what may be installed."""


@dataclass(frozen=True, slots=True)
class Pinned:
    """One requirement of a lock file."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def in_image(self) -> bool:
        """Whether an image installs it: its marker holds there."""
        marker = Requirement(f"{self.name} ; {self.marker}").marker if self.marker else None
        return marker is None or marker.evaluate(dict(MARKERS))


def read(path: Path) -> list[Pinned]:
    """The requirements of a lock file. Raises LockError: no hash, no exact version, or an option or address instead."""
    return [_pinned(line, path) for line in _lines(path.read_text(encoding="utf-8"))]


def _lines(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.split(" #")[0].strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _pinned(line: str, path: Path) -> Pinned:
    stripped, *_ = line.split(" --hash=")
    where = f"{_shown(path)}: {stripped.strip()!r}"
    try:
        requested = Requirement(stripped.strip())
        (only,) = requested.specifier
        version = str(Version(only.version))
    except (InvalidRequirement, InvalidVersion, ValueError) as error:
        raise LockError(f"{where} is not `name==version`; run `make lock`") from error
    if only.operator != "==" or requested.url:
        raise LockError(f"{where} does not name one version; run `make lock`")
    hashes = tuple(_HASH.findall(line))
    if not hashes or not all(_SHA256.fullmatch(value) for value in hashes):
        raise LockError(f"{where} has no SHA-256 hash, or a malformed one; run `make lock`")
    return Pinned(str(canonicalize_name(requested.name)), version, str(requested.marker or ""), hashes)


def problems(tree: Path = WORK_TREE, ask: Requires = required) -> list[str]:
    """What is wrong with the locks; asks no network.

    Each lock must hold what its pyproject.toml asks for, in versions that are wanted, with everything which that needs,
    and nothing else; and an image's lock must say of each package what the lock of the whole says.
    """
    ours, found = Workspace.load(tree), []
    everything: dict[str, Pinned] = {}
    for path, package in _locks(tree):
        if not path.is_file():
            found.append(f"{_shown(path)} is missing; run `make lock`")
            continue
        try:
            pinned = {each.name: each for each in read(path)}
            wrong = _differences(pinned, closure(package, ours, ask), ours)
        except (LockError, NotInstalledError) as error:
            found.append(str(error))
            continue
        everything = everything or pinned
        wrong += [f"{name} is not as in requirements.lock" for name in pinned if not _same(name, pinned, everything)]
        found += [f"{_shown(path)}: {each}; run `make lock`, and look at the difference" for each in wrong]
    found += [f"{name}: an image without a version" for name in loose(others(tree))]
    return found


def _differences(pinned: Mapping[str, Pinned], wanted: Closure, ours: Workspace) -> list[str]:
    wrong = []
    for requirement, asking in wanted.requested:
        name = str(canonicalize_name(requirement.name))
        if name in ours.projects:
            continue
        if name not in pinned or not pinned[name].in_image:
            wrong.append(f"{asking} asks for {requirement}, which is not in it")
        elif not requirement.specifier.contains(pinned[name].version, prereleases=True):
            wrong.append(f"{asking} asks for {requirement}, and {pinned[name].version} is in it")
    idle = [each.name for each in pinned.values() if each.in_image and each.name not in wanted.needs]
    return wrong + [f"nobody asks for {name}" for name in idle]


def _same(name: str, one: Mapping[str, Pinned], other: Mapping[str, Pinned]) -> bool:
    mine, its = one[name], other.get(name)
    return its is not None and (mine.version, mine.hashes) == (its.version, its.hashes)


def _locks(tree: Path) -> Iterator[tuple[Path, str]]:
    """Each lock file, with the package whose needs it holds; that of the whole comes first."""
    whole = tomllib.loads((tree / "pyproject.toml").read_text(encoding="utf-8"))
    yield tree / "requirements.lock", whole["project"]["name"]
    for image in find(tree):
        yield image.lock, image.project["name"]


def shipped(images: Sequence[Image]) -> dict[tuple[str, str], list[str]]:
    """What images install: (name, version) -> the images that do."""
    found: dict[tuple[str, str], list[str]] = {}
    for image in images:
        for pinned in read(image.lock):
            if pinned.in_image:
                found.setdefault((pinned.name, pinned.version), []).append(image.name)
    return dict(sorted(found.items()))


def _shown(path: Path) -> str:
    return str(path.relative_to(WORK_TREE)) if path.is_relative_to(WORK_TREE) else str(path)
