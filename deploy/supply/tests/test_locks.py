"""A lock that was changed by hand, that pins nothing or that has no hash is refused; ours are current."""

from pathlib import Path

import pytest

from supply import locks
from supply.images import WORK_TREE, Image, find, loose
from supply.locks import Pinned

HASH = f"--hash=sha256:{'a' * 64}"
CLICK, RICH = f"click==8.5.1 \\\n    {HASH}\n    # via esim-shop\n", f"rich==15.0 {HASH}\n"


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    """A work tree of one image, which asks for click, which asks for rich."""
    folder = tmp_path / "services" / "shop"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM python:3.11-slim-bookworm\n")
    (folder / "pyproject.toml").write_text('[project]\nname = "esim-shop"\ndependencies = ["Click[colour]>=8,<9"]\n')
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "whole"\ndependencies = ["esim-shop"]\n')
    (tmp_path / "docker-compose.yml").write_text("services:\n  shop:\n    image: esim-fulfilment/shop\n")
    for path in (tmp_path / "requirements.lock", folder / "requirements.lock"):
        path.write_text(CLICK + RICH)
    return folder / "requirements.lock"


def require(name: str) -> list[str]:
    """What distributions require in these tests."""
    clicks = ["rich<16 ; extra == 'colour'", "sphinx ; extra == 'docs'", "colorama ; sys_platform == 'win32'"]
    return clicks if name == "click" else []


def test_ours_are_what_the_pyproject_files_ask_for() -> None:
    assert locks.problems() == []


def test_every_image_installs_by_hash_only_and_has_its_bill() -> None:
    for image in find():
        dockerfile = image.dockerfile.read_text(encoding="utf-8")
        assert "--no-deps --require-hashes" in dockerfile, image.name
        assert f"COPY {image.bill.relative_to(WORK_TREE)} /sbom.json" in dockerfile, image.name


def test_a_lock_of_what_is_asked_for_is_well(lock: Path) -> None:
    assert locks.problems(lock.parents[2], require) == []
    assert locks.read(lock)[0] == Pinned("click", "8.5.1", "", (f"sha256:{'a' * 64}",))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("click==8.5.1\n", "no SHA-256 hash"),
        (f"click==8.5.1 --hash=md5:{'a' * 32}\n", "no SHA-256 hash"),
        (CLICK + "rich==15.0\n", "no SHA-256 hash"),
        (f"click>=8.5.1 {HASH}\n", "does not name one version"),
        (f"click==8.* {HASH}\n", "is not `name==version`"),
        (f"click>=8,<9 {HASH}\n", "is not `name==version`"),
        ("--index-url https://elsewhere.example/simple\n", "is not `name==version`"),
        ("click @ https://elsewhere.example/click.whl\n", "is not `name==version`"),
        ("-e ./click\n", "is not `name==version`"),
        (CLICK + RICH.replace("15.0", "14.0"), "rich is not as in requirements.lock"),
        (CLICK + RICH.replace("a" * 64, "b" * 64), "rich is not as in requirements.lock"),
        (CLICK, "click asks for rich<16"),
        (CLICK + RICH.replace(" --", " ; sys_platform == 'win32' --"), "click asks for rich<16"),
    ],
)
def test_a_tampered_lock_is_refused(lock: Path, text: str, complaint: str) -> None:
    lock.write_text(text)

    problem, *_ = locks.problems(lock.parents[2], require)

    assert complaint in problem
    assert "make lock" in problem


@pytest.mark.parametrize(
    ("requested", "complaint"),
    [
        ('"click[colour]>=9"', "8.5.1 is in it"),
        ('"click[colour]", "httpx"', "esim-shop asks for httpx"),
        ('"click"', "nobody asks for rich"),
        ("", "nobody asks for click"),
    ],
)
def test_a_lock_that_nobody_wrote_again_is_refused(lock: Path, requested: str, complaint: str) -> None:
    lock.with_name("pyproject.toml").write_text(f'[project]\nname = "esim-shop"\ndependencies = [{requested}]\n')

    assert complaint in str(locks.problems(lock.parents[2], require))


def test_a_missing_lock_is_refused(lock: Path) -> None:
    lock.unlink()

    (problem,) = locks.problems(lock.parents[2], require)

    assert "is missing" in problem


def test_markers_are_those_of_an_image(lock: Path) -> None:
    lock.write_text(
        f"colorama==0.4.6 ; sys_platform == 'win32' {HASH}\nuvloop==0.23 ; sys_platform != 'win32' {HASH}\n"
    )

    assert locks.shipped([Image(lock.parent)]) == {("uvloop", "0.23"): ["shop"]}


def test_images_of_others_name_a_version() -> None:
    assert loose({"a/b:1.2", "c@sha256:" + "0" * 64, "d", "e:latest", "host:5000/f"}) == [
        "d",
        "e:latest",
        "host:5000/f",
    ]
