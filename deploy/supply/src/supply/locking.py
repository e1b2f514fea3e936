"""Writes the lock files: `uv lock` chooses versions, and keeps those that requirements.lock has already.

uv keeps the versions of its own `uv.lock`, which is not committed, as it names registry hosts. So the versions of
requirements.lock are its constraints, in a copy of the pyproject.toml files; the work tree has no `uv.lock` at all.
"""

import json
import shutil
import subprocess
import tempfile
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.graph import Workspace
from supply.images import WORK_TREE, find
from supply.locks import LockError, Pinned, read

_TABLE = "[tool.uv]\n"
_WHOLE = "requirements.lock"


def write(upgrade: Collection[str] = (), *, everything: bool = False, tree: Path = WORK_TREE) -> list[Path]:
    """Write all lock files, or none; returns them. Asks the registry.

    Versions stay as they are, except of the packages in `upgrade`, of `everything`, and where a pyproject.toml of ours
    asks for another one. Raises LockError: an unknown name, or uv found no versions that fit together.
    """
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        _copy_projects(tree, copy)
        if not everything:
            constrain(copy / "pyproject.toml", constraints(tree, upgrade))
        _uv(tree, copy, "lock")
        exported = {_WHOLE: ("--all-packages",)} | {
            str(image.lock.relative_to(tree)): ("--package", image.project["name"], "--no-dev") for image in find(tree)
        }
        for name, options in exported.items():
            _uv(tree, copy, "export", "--frozen", *options, "--no-emit-workspace", "--no-header", "--output-file", name)
        return [Path(shutil.copyfile(copy / name, tree / name)) for name in exported]


def constraints(tree: Path, upgrade: Collection[str] = ()) -> list[str]:
    """The versions to keep, as PEP 508 requirements. Raises LockError for a name in `upgrade` that is not locked."""
    pins = read(tree / _WHOLE)
    moving = {str(canonicalize_name(name)) for name in upgrade}
    if unknown := sorted(moving - {pin.name for pin in pins}):
        raise LockError(f"{', '.join(unknown)} is not in {_WHOLE}")
    return list(_kept([pin for pin in pins if pin.name not in moving], list(_requested(Workspace.load(tree)))))


def _kept(pins: Collection[Pinned], requested: Collection[Requirement]) -> Iterator[str]:
    """A marker stays only where a package has several versions, by machine or Python: one version holds everywhere."""
    versions = Counter(pin.name for pin in pins)
    for pin in pins:
        wanted = [each for each in requested if canonicalize_name(each.name) == pin.name]
        if all(each.specifier.contains(pin.version, prereleases=True) for each in wanted):
            yield f"{pin.name}=={pin.version}" + (f" ; {pin.marker}" if versions[pin.name] > 1 else "")


def _requested(ours: Workspace) -> Iterator[Requirement]:
    """Everything that a pyproject.toml of ours asks for, extras and development too."""
    for project in ours.projects.values():
        lists = [project["project"].get("dependencies", [])]
        lists += project["project"].get("optional-dependencies", {}).values()
        lists += project.get("dependency-groups", {}).values()
        yield from (Requirement(text) for each in lists for text in each)


def constrain(project: Path, wanted: Iterable[str]) -> None:
    """Add constraints to a pyproject.toml that has none. Raises LockError where it has some, or no table of uv."""
    text = project.read_text(encoding="utf-8")
    if _TABLE not in text or "constraint-dependencies" in tomllib.loads(text)["tool"]["uv"]:
        raise LockError(f"{project.name} has no table of uv, or has constraints already: locking.py must learn them")
    lines = "".join(f"    {json.dumps(each)},\n" for each in wanted)
    project.write_text(text.replace(_TABLE, f"{_TABLE}constraint-dependencies = [\n{lines}]\n", 1), encoding="utf-8")


def _copy_projects(tree: Path, copy: Path) -> None:
    for pattern in ("pyproject.toml", "*/pyproject.toml", "*/*/pyproject.toml"):
        for path in tree.glob(pattern):
            target = copy / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _uv(tree: Path, folder: Path, *arguments: str) -> None:
    command = [str(tree / "deploy" / "local" / "uv"), *arguments, "--quiet"]
    done = subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own script
    if done.returncode:
        hint = 'If a present version is in the way: make lock UPGRADE="its name", or make upgrade.'
        raise LockError(f"uv {arguments[0]} found no answer.\n{done.stderr.strip()}\n{hint}")
