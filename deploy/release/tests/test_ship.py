"""The release script, in a clone of its own: what it refuses, what it leaves behind."""

import json
import subprocess
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from local_stack.paths import WORK_TREE
from release import changelog
from release.history import NAMES, NoHistoryError, export, git, last_release, record
from release.interfaces import path_of, text
from release.ship import RefusedError, objections, ship

SERVICE = "ordering"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of what is committed here, with something to release in its changelog."""
    try:
        export(last_release(SERVICE).commit)
    except NoHistoryError as error:
        pytest.skip(str(error))
    root = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(WORK_TREE), str(root)], check=True)  # noqa: S603, S607 - git, ours
    git("config", "user.name", "A test", root=root)
    git("config", "user.email", "test@example.org", root=root)
    git("config", "commit.gpgsign", "false", root=root)
    path = root / "services" / SERVICE / "CHANGELOG.md"
    path.write_text(path.read_text().replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- A test.\n", 1))
    git("commit", "--quiet", "--all", "--message", "A change", root=root)
    return root


def passing(_selected: Sequence[str]) -> None:
    """Tests that pass."""


def failing(_selected: Sequence[str]) -> None:
    raise RefusedError("the tests failed")


def state(root: Path) -> tuple[str, str, str]:
    return git("rev-parse", "HEAD", root=root), git("status", "--porcelain", root=root), git("tag", root=root)


@pytest.mark.long
def test_a_release_is_two_commits_and_a_tag(clone: Path) -> None:
    before = git("rev-parse", "HEAD", root=clone)
    asked: list[str] = []
    made = ship(SERVICE, "1.7.0", root=clone, run=asked.extend, say=lambda _line: None)
    assert f"services/{SERVICE}" in asked
    assert "tests/test_mixed_versions.py" in asked
    subjects = git("log", "--format=%s", f"{before}..HEAD", root=clone).splitlines()
    assert subjects == [f"After {SERVICE} 1.7.0", f"Release {SERVICE} 1.7.0"]
    assert git("rev-list", "-n", "1", f"{SERVICE}-1.7.0", root=clone) == made.commit
    assert "- A test." in git("tag", "--list", "--format=%(contents)", f"{SERVICE}-1.7.0", root=clone)
    assert last_release(SERVICE, clone) == made
    at_tag = git("show", f"{made.commit}:services/{SERVICE}/pyproject.toml", root=clone)
    assert 'version = "1.7.0"' in at_tag
    assert 'version = "1.8.0.dev0"' in (clone / "services" / SERVICE / "pyproject.toml").read_text()
    documents = git("show", f"{made.commit}:services/{SERVICE}/interfaces/asyncapi.json", root=clone)
    assert '"version": "1.7.0"' in documents
    assert '"version": "1.8.0"' in path_of(SERVICE, "asyncapi", clone).read_text()
    bill = git("show", f"{made.commit}:services/{SERVICE}/sbom.json", root=clone)
    assert f'"bom-ref":"esim-{SERVICE}@1.7.0"' in bill
    assert 'appVersion: "1.7.0"' in (clone / "deploy/kubernetes/charts" / SERVICE / "Chart.yaml").read_text()
    assert git("status", "--porcelain", root=clone) == ""
    with pytest.raises(RefusedError) as refused:  # nothing new since
        ship(SERVICE, "1.8.0", root=clone, run=passing)
    assert "Unreleased" in str(refused.value)


@pytest.mark.parametrize("reason", ["dry run", "failing tests", "unclean", "not later", "tagged", "no version"])
def test_what_is_not_released_leaves_nothing_behind(clone: Path, reason: str) -> None:
    version = {"not later": last_release(SERVICE).version, "no version": "1.7"}.get(reason, "1.7.0")
    if reason == "unclean":
        (clone / "README.md").write_text("half an edit")
    if reason == "tagged":
        git("tag", f"{SERVICE}-1.7.0", root=clone)
    before = state(clone)
    if reason == "dry run":
        messages: list[str] = []
        ship(SERVICE, version, dry_run=True, root=clone, run=passing, say=messages.append)
        assert "can be released" in messages[-1]
    else:
        with pytest.raises(RefusedError):
            ship(SERVICE, version, root=clone, run=failing if reason == "failing tests" else passing)
    assert state(clone) == before


@pytest.mark.long
def test_a_break_of_http_is_refused_until_it_is_meant_and_then_for_one_release(clone: Path) -> None:
    path = path_of(SERVICE, "openapi", clone)
    document = json.loads(path.read_text())
    document["paths"]["/storefront"].pop("get")
    path.write_text(text(document))
    git("commit", "--quiet", "--all", "--message", "A break", root=clone)
    before = state(clone)
    with pytest.raises(RefusedError) as refused:
        ship(SERVICE, "1.7.0", root=clone, run=passing)
    assert refused.value.args == ("GET /storefront: gone",)
    assert state(clone) == before
    kept = record(SERVICE, clone)
    written = kept.read_text()
    head = "" if "[breaks]" in written else "\n[breaks]\n"  # at the end of the file, where there are some already
    kept.write_text(f'{written}{head}"GET /storefront" = "asked by nobody since 1.0.1"\n')
    git("commit", "--quiet", "--all", "--message", "It is meant", root=clone)
    ship(SERVICE, "1.7.0", root=clone, run=passing, say=lambda _line: None)
    assert "breaks" not in record(SERVICE, clone).read_text()


def test_a_shallow_clone_is_refused_with_what_is_missing(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shallow = tmp_path / "shallow"
    git("clone", "--quiet", "--depth", "1", clone.as_uri(), str(shallow), root=clone)
    assert any("--unshallow" in one for one in objections(SERVICE, "1.7.0", shallow))


def test_a_changelog_that_says_nothing_is_no_changelog() -> None:
    with pytest.raises(changelog.EmptyChangelogError):
        changelog.unreleased("# Changelog\n\n## [Unreleased]\n\n### Added\n\n## [1.0.0] - 2026-11-21\n\n- The first.\n")
    text = "# Changelog\n\n## [Unreleased]\n\n- New.\n\n## [1.0.0] - 2026-11-21\n"
    assert changelog.unreleased(text) == "- New."
    assert "## [Unreleased]\n\n## [1.1.0] - 2026-12-01\n\n- New.\n" in changelog.released(
        text, "1.1.0", date(2026, 12, 1)
    )


@pytest.mark.parametrize("service", NAMES)
def test_a_chart_installs_the_last_release(service: str) -> None:
    chart = (WORK_TREE / "deploy/kubernetes/charts" / service / "Chart.yaml").read_text()
    assert f'appVersion: "{last_release(service).version}"' in chart
