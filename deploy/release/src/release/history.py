"""The last release of each service, and its code: exported from the clone's history into the cache, once."""

import io
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from local_stack.paths import WORK_TREE, cache_dir
from local_stack.product import SERVICES

NAMES = tuple(service.name for service in SERVICES)


class NoHistoryError(Exception):
    """Here is no commit of that release: it is a shallow clone, or no clone at all."""


@dataclass(frozen=True)
class Release:
    """A released version of one service: a commit, with the `shared` that it had."""

    service: str
    version: str
    commit: str

    @property
    def tag(self) -> str:
        return f"{self.service}-{self.version}"


def record(service: str, root: Path = WORK_TREE) -> Path:
    """The file in which a service keeps its last release."""
    return root / "services" / service / "release.toml"


def last_release(service: str, root: Path = WORK_TREE) -> Release:
    """What the service says its last release is. Raises FileNotFoundError for one that was never released."""
    found = tomllib.loads(record(service, root).read_text(encoding="utf-8"))
    return Release(service, found["version"], found["commit"])


def git(*words: str, root: Path = WORK_TREE) -> str:
    """What git says, without the last line's end. Raises CalledProcessError."""
    return subprocess.run(  # noqa: S603 - git, with words of ours
        ["git", "-C", str(root), *words],  # noqa: S607 - whichever git there is
        check=True,
        capture_output=True,
        text=True,
    ).stdout.rstrip("\n")


def export(commit: str, root: Path = WORK_TREE) -> Path:
    """The tree of that commit, in the cache. Raises NoHistoryError where this clone does not have it."""
    place = cache_dir() / "releases" / commit
    if place.is_dir():
        return place
    try:
        archive = subprocess.run(  # noqa: S603 - as above
            ["git", "-C", str(root), "archive", commit],  # noqa: S607 - as above
            check=True,
            capture_output=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoHistoryError(
            f"commit {commit[:12]} of a release is not in this copy. In a shallow clone: "
            "`git fetch --unshallow --tags`; an unpacked archive has no history to compare with."
        ) from error
    place.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: several test processes may do this at once, and the first one is as good as the last.
    draft = Path(tempfile.mkdtemp(prefix=f".{commit[:12]}-", dir=place.parent))
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        # Python 3.11.4 and later; what git wrote itself needs no filter, so that Debian 12's 3.11.2 does without.
        filtered = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        files.extractall(draft, **filtered)  # type: ignore[arg-type] # noqa: S202 - of our own history, see above
    try:
        draft.rename(place)
    except OSError:
        shutil.rmtree(draft)
    return place


def python_path(tree: Path, *services: str) -> str:
    """PYTHONPATH with which our interpreter runs these services, and `shared`, as they are in that tree."""
    return ":".join(str(tree / folder / "src") for folder in ("shared", *(f"services/{name}" for name in services)))
