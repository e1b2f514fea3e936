"""Who needs whom: our own packages by their pyproject.toml, the others by what their installed distributions say.

No resolver and no network: `make lock` has chosen the versions, here is only asked whether they answer the question.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.images import MARKERS, WORK_TREE

Requires = Callable[[str], Iterable[str]]
Requested = list[tuple[Requirement, str]]
"""Requirements that hold in an image, each with the name of who asks."""


class NotInstalledError(LookupError):
    """What a package needs cannot be read, as it is not installed here."""


def required(name: str) -> list[str]:
    """What an installed distribution requires (PEP 508), extras among it. Raises NotInstalledError."""
    try:
        return requires(name) or []
    except PackageNotFoundError as error:
        raise NotInstalledError(f"{name} is not installed here; `make setup`, with Python 3.11 as in images") from error


@dataclass(frozen=True)
class Workspace:
    """Our own packages: their pyproject.toml, by name."""

    projects: Mapping[str, Mapping[str, Any]]

    @classmethod
    def load(cls, tree: Path = WORK_TREE) -> "Workspace":
        """Read every pyproject.toml of the tree."""
        files = [
            tree / "pyproject.toml",
            *sorted(tree.glob("*/pyproject.toml")),
            *sorted(tree.glob("*/*/pyproject.toml")),
        ]
        read = [tomllib.loads(path.read_text(encoding="utf-8")) for path in files if path.is_file()]
        return cls({str(canonicalize_name(each["project"]["name"])): each for each in read})

    def version(self, name: str) -> str:
        """The version of one of our packages."""
        return str(self.projects[name]["project"]["version"])

    def requires(self, name: str, extras: Iterable[str], ask: Requires) -> Iterable[Requirement]:
        """What a package and these extras of it ask for, in an image."""
        if name in self.projects:
            project = self.projects[name]["project"]
            lists = [project.get("dependencies", []), *self.projects[name].get("dependency-groups", {}).values()]
            lists += [project.get("optional-dependencies", {})[extra] for extra in sorted(extras)]
            requested = [Requirement(text) for each in lists for text in each]
        else:
            requested = [Requirement(text) for text in ask(name)]
        environments = [{**MARKERS, "extra": extra} for extra in ("", *sorted(extras))]
        return [
            each
            for each in requested
            if each.marker is None or any(each.marker.evaluate(dict(values)) for values in environments)
        ]


@dataclass(frozen=True)
class Closure:
    """Everything that a package needs, and what for."""

    needs: dict[str, set[str]] = field(default_factory=dict)
    """Name -> the names it needs itself; our own packages among them, the first one first."""
    requested: Requested = field(default_factory=list)


def closure(name: str, ours: Workspace, ask: Requires = required) -> Closure:
    """All that `name`, one of our packages, needs. Raises NotInstalledError."""
    found, seen = Closure(), set[tuple[str, frozenset[str]]]()
    waiting = [(str(canonicalize_name(name)), frozenset[str]())]
    while waiting:
        current, extras = waiting.pop()
        if (current, extras) in seen:
            continue
        seen.add((current, extras))
        needs = found.needs.setdefault(current, set())
        for requirement in ours.requires(current, extras, ask):
            needed = str(canonicalize_name(requirement.name))
            found.requested.append((requirement, current))
            waiting.append((needed, frozenset(requirement.extras)))
            if needed != current:  # an extra that asks for another one of the same package
                needs.add(needed)
    return found
