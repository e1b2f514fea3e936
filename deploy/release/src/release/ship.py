"""One service, released: checked against its neighbours and its past, versioned, tagged. Nothing leaves the machine."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from local_stack.paths import WORK_TREE
from release import callers, changelog, contracts, interfaces
from release.history import NAMES, NoHistoryError, Release, export, git, last_release, record

_VERSION = re.compile(r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$")
#: What the service's chart installs: always the last release.
_INSTALLED = re.compile(r'^appVersion: ".*"$', re.MULTILINE)
_STATED = re.compile(r'^version = "[^"]+"$', re.MULTILINE)
_RECORD = """\
# The last release: what the contracts, HTTP, the migrations and the mixed-version test of today are held against.
# Written by `make release`; see deploy/release/README.md.
version = "{version}"
commit = "{commit}"
"""
#: Runs these tests; raises RefusedError where they fail.
Runner = Callable[[Sequence[str]], None]
Say = Callable[[str], None]


class RefusedError(Exception):
    """The release may not be made; each argument is a reason."""


def tests_of(service: str) -> list[str]:
    """What proves that this service can be deployed alone."""
    return [f"services/{service}", "deploy/release/tests", "tests/test_mixed_versions.py"]


def ship(
    service: str,
    version: str,
    *,
    dry_run: bool = False,
    root: Path = WORK_TREE,
    run: Runner | None = None,
    say: Say = print,
) -> Release:
    """Make the release, or with `dry_run` everything but that. Raises RefusedError; then nothing was changed.

    Two commits: the release, which is tagged, and one that records it and states the next version.
    """
    if found := list(objections(service, version, root)):
        raise RefusedError(*found)
    say(f"{service} {version}: the tree is clean, the changelog says what is new, contracts and HTTP are kept")
    (run or _pytest)(tests_of(service))
    if dry_run:
        say(f"{service} {version} can be released; this was a dry run, nothing is changed")
        return Release(service, version, git("rev-parse", "HEAD", root=root))
    released = _release(service, version, root)
    _record(released, root)
    say(f"{released.tag} is commit {released.commit[:12]}; publish it with:")
    say(f"  git push --atomic origin HEAD {released.tag}")
    return released


def objections(service: str, version: str, root: Path = WORK_TREE) -> Iterator[str]:
    """What speaks against the release, as far as it can be seen without running its tests."""
    if service not in NAMES:
        yield f"there is no service {service!r}, but {', '.join(NAMES)}"
        return
    if not _VERSION.match(version):
        yield f"{version!r} is not a version as in Semantic Versioning, MAJOR.MINOR.PATCH"
        return
    last = last_release(service, root)
    if _numbers(version) <= _numbers(last.version):
        yield f"{version} does not follow {last.version}, the last release"
    if git("tag", "--list", f"{service}-{version}", root=root):
        yield f"the tag {service}-{version} exists"
    if git("status", "--porcelain", root=root):
        yield "the work tree has changes that are not committed"
    try:
        changelog.unreleased(_changelog(service, root).read_text(encoding="utf-8"))
    except changelog.EmptyChangelogError as error:
        yield f"services/{service}/CHANGELOG.md: {error}"
    yield from _broken_promises(service, root)


def _broken_promises(service: str, root: Path) -> Iterator[str]:
    """Whoever runs a last release must go on understanding what the new one says, and be understood; so must whoever
    called this service's.
    """
    try:
        trees = [export(commit, root) for commit in sorted({last_release(name, root).commit for name in NAMES})]
    except NoHistoryError as error:
        yield str(error)
        return
    for tree in trees:
        yield from contracts.changes(contracts.released_schemas(tree), contracts.of_now())
    meant = callers.intended(service, root)
    for thing, problem in callers.broken(service, export(last_release(service, root).commit, root), root):
        if not meant.get(thing):
            yield f"{thing}: {problem}"


def _release(service: str, version: str, root: Path) -> Release:
    path = _changelog(service, root)
    text = path.read_text(encoding="utf-8")
    section = changelog.unreleased(text)
    path.write_text(changelog.released(text, version, datetime.now(UTC).date()), encoding="utf-8")
    chart = root / "deploy/kubernetes/charts" / service / "Chart.yaml"
    text = chart.read_text(encoding="utf-8")
    chart.write_text(_INSTALLED.sub(f'appVersion: "{version}"', text, count=1), encoding="utf-8")
    _commit(service, version, f"Release {service} {version}", root)
    git("tag", "--annotate", f"{service}-{version}", "--message", f"{service} {version}\n\n{section}", root=root)
    return Release(service, version, git("rev-parse", "HEAD", root=root))


def _record(released: Release, root: Path) -> None:
    text = _RECORD.format(version=released.version, commit=released.commit)
    record(released.service, root).write_text(text, encoding="utf-8")
    major, minor, _ = _numbers(released.version)
    _commit(released.service, f"{major}.{minor + 1}.0.dev0", f"After {released.service} {released.version}", root)


def _commit(service: str, version: str, message: str, root: Path) -> None:
    """State this version and commit it with what carries it too: the interfaces' documents, the image's bill."""
    path = root / "services" / service / "pyproject.toml"
    path.write_text(_STATED.sub(f'version = "{version}"', path.read_text(encoding="utf-8"), count=1), encoding="utf-8")
    asyncio.run(interfaces.write(root, [service]))
    there = {**os.environ, "PYTHONPATH": str(root / "deploy/supply/src")}
    subprocess.run([sys.executable, "-m", "supply", "sbom"], cwd=root, env=there, stdout=subprocess.DEVNULL, check=True)
    git("add", "services", "deploy", root=root)
    git("commit", "--quiet", "--message", message, root=root)


def _changelog(service: str, root: Path) -> Path:
    return root / "services" / service / "CHANGELOG.md"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _pytest(selected: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", *selected]
    if subprocess.run(command, cwd=WORK_TREE, check=False).returncode:  # noqa: S603 - our own interpreter
        raise RefusedError("the tests failed; see above")
