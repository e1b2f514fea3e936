"""Versions that are locked stay, unless somebody asks for others."""

import tomllib
from pathlib import Path

import pytest

from supply import locking
from supply.images import WORK_TREE
from supply.locks import LockError, read

HASH = f"--hash=sha256:{'a' * 64}"
WHOLE = """[project]
name = "whole"
dependencies = ["shop", "click>=8"]

[dependency-groups]
dev = ["ruff>=0.15"]

[tool.uv]
package = false
"""
LOCK = f"""click==8.5.1 ; sys_platform == 'linux' {HASH}
numpy==2.2.0 ; python_full_version < '3.12' {HASH}
numpy==2.4.0 ; python_full_version >= '3.12' {HASH}
Ruff==0.15.2 {HASH}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "pyproject.toml").write_text(WHOLE)
    shop = '[project]\nname = "shop"\ndependencies = ["numpy"]\noptional-dependencies = {tidy = ["ruff"]}\n'
    (tmp_path / "shop" / "pyproject.toml").write_text(shop)
    (tmp_path / "requirements.lock").write_text(LOCK)
    return tmp_path


def test_every_version_stays_and_where_there_are_two_each_where_it_was(tree: Path) -> None:
    assert locking.constraints(tree) == [
        "click==8.5.1",
        'numpy==2.2.0 ; python_full_version < "3.12"',
        'numpy==2.4.0 ; python_full_version >= "3.12"',
        "ruff==0.15.2",
    ]


def test_a_version_moves_where_somebody_asks_for_another(tree: Path) -> None:
    assert locking.constraints(tree, ["Numpy", "click"]) == ["ruff==0.15.2"]
    for requested in ("ruff>=0.15", "click>=8"):
        (tree / "pyproject.toml").write_text(WHOLE.replace(requested, f"{requested.partition('>')[0]}>=99"))
        assert not [one for one in locking.constraints(tree) if one.startswith(requested[:4])]
    with pytest.raises(LockError, match=r"nobody is not in requirements\.lock"):
        locking.constraints(tree, ["nobody"])


def test_constraints_are_added_to_what_uv_reads(tree: Path) -> None:
    kept = locking.constraints(tree)
    locking.constrain(tree / "pyproject.toml", kept)
    read_back = tomllib.loads((tree / "pyproject.toml").read_text())
    assert read_back["tool"]["uv"] == {"constraint-dependencies": kept, "package": False}
    assert read_back["project"]["name"] == "whole"
    with pytest.raises(LockError, match="has constraints already"):
        locking.constrain(tree / "pyproject.toml", kept)


def test_everything_that_we_lock_stays() -> None:
    kept = {one.partition(" ;")[0] for one in locking.constraints(WORK_TREE)}
    assert kept == {f"{pin.name}=={pin.version}" for pin in read(WORK_TREE / "requirements.lock")}
