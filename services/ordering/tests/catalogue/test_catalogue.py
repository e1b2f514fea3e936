"""The catalogue's files: what they contain, what is refused, and how changes take effect."""

import os
import shutil
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ordering.catalogue import CatalogueFiles
from ordering.catalogue.models import CatalogueError
from ordering.catalogue.store import PACKAGED


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in PACKAGED.glob("*.toml"):
        shutil.copy(file, tmp_path)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    stamp = path.stat().st_mtime_ns + 1_000_000  # a second write within one tick of a coarse clock counts too
    os.utime(path, ns=(stamp, stamp))


def test_three_shops_with_a_dozen_plans_each() -> None:
    catalogue = CatalogueFiles().current()
    shops = {shop.slug: (shop.currency, shop.time_zone) for shop in catalogue.storefronts}
    assert shops == {
        "qazaq-esim": ("KZT", "Asia/Almaty"),
        "e-sim-onl": ("USD", "UTC"),
        "esimka": ("USD", "Asia/Tbilisi"),
    }
    assert all(len(catalogue.sold_by(slug)) >= 12 for slug in shops)


def test_a_change_comes_into_force_within_a_second(folder: Path) -> None:
    timer = Timer()
    files = CatalogueFiles(folder, timer=timer)
    before = files.current().offer("esimka", "tr-5gb-30d")
    change(folder / "plans.toml", "esimka = 990 ", "esimka = 777 ")
    assert files.current().offer("esimka", "tr-5gb-30d") == before
    timer.now += 1
    after = files.current().offer("esimka", "tr-5gb-30d")
    assert after
    assert after[1].amount == 777


def test_a_new_file_adds_plans(folder: Path) -> None:
    timer = Timer()
    files = CatalogueFiles(folder, timer=timer)
    (folder / "summer.toml").write_text(
        '[[plan]]\nid = "jp-1gb-7d"\ntitle = "Japan 1 GB"\ncoverage = ["JP"]\ndata_mb = 1024\nvalidity_days = 7\n'
        'profile_type = "asia-data"\nprices = { esimka = 400 }\n',
        encoding="utf-8",
    )
    timer.now += 1
    assert files.current().offer("esimka", "jp-1gb-7d")
    assert not files.current().offer("e-sim-onl", "jp-1gb-7d")


def test_an_invalid_file_is_refused_once_and_the_last_valid_catalogue_stays(folder: Path) -> None:
    timer = Timer()
    files = CatalogueFiles(folder, timer=timer)
    good = files.current()
    change(folder / "plans.toml", "esimka = 990 ", "esimka = nine ")
    with capture_logs() as logs:
        for _ in range(3):
            timer.now += 1
            assert files.current() is good
    assert [entry["event"] for entry in logs] == ["catalogue_refused"]
    assert "plans.toml" in logs[0]["reason"]
    change(folder / "plans.toml", "esimka = nine ", "esimka = 991 ")
    timer.now += 1
    offer = files.current().offer("esimka", "tr-5gb-30d")
    assert offer
    assert offer[1].amount == 991


@pytest.mark.parametrize(
    ("file", "old", "new", "word"),
    [
        ("plans.toml", "esimka = 990 ", "esimka = 0 ", "prices"),
        ("plans.toml", "esimka = 990 ", "stranger = 990 ", "unknown storefront stranger"),
        ("plans.toml", 'id = "tr-5gb-30d"', 'id = "tr-20gb-30d"', "tr-20gb-30d is there twice"),
        ("plans.toml", "validity_days", "days", "validity_days"),
        ("plans.toml", '["TR"]', '["Turkey"]', "coverage"),
        ("plans.toml", "[[plan]]", "[[plans]]", "plans"),
        ("storefronts.toml", "Asia/Almaty", "Asia/Almata", "time_zone"),
        ("storefronts.toml", 'slug = "esimka"', 'slug = "e-sim-onl"', "e-sim-onl is there twice"),
        ("storefronts.toml", "privacy = ", "privacy_policy = ", "privacy"),
    ],
)
def test_invalid_catalogues(folder: Path, file: str, old: str, new: str, word: str) -> None:
    change(folder / file, old, new)
    with pytest.raises(CatalogueError, match=word):
        CatalogueFiles(folder)


def test_a_missing_folder(folder: Path) -> None:
    with pytest.raises(CatalogueError, match="folder"):
        CatalogueFiles(folder / "elsewhere")
    timer = Timer()
    files = CatalogueFiles(folder, timer=timer)
    shutil.rmtree(folder)
    timer.now += 1
    assert files.current().plans
