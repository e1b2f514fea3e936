"""`fulfil shops`: every fault with its file and field, and the folder as values of the charts."""

import json
from pathlib import Path

import pytest

from fulfil.cli import main
from shared.shops.reading import read_shops
from shared.testing.shops import EXAMPLES, change, copied


def test_a_good_folder_says_what_each_shop_has(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shops", "check", str(EXAMPLES)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "esimka: eSIMka, USD, Asia/Tbilisi; 14 plans; policy 2026-04-22"


def test_every_fault_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copied(tmp_path / "shops")
    change(folder / "esimka" / "shop.toml", 'holidays = "GE"', 'holiday = "GE"')
    change(folder / "e-sim-onl" / "plans.toml", "price = 450", "price = 4.50")
    assert main(["shops", "check", str(folder)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["e-sim-onl/plans.toml", "plan.kz-3gb-15d.price"],
        ["esimka/shop.toml", "holiday"],
        ["fulfil", "the folder is refused"],
    ]
    change(folder / "esimka" / "shop.toml", 'holiday = "GE"', 'holidays = "XX"')
    change(folder / "e-sim-onl" / "plans.toml", "price = 4.50", "price = 450")
    assert main(["shops", "check", str(folder)]) == 1
    assert "esimka/shop.toml: holidays: is not a country" in capsys.readouterr().err


def test_production_refuses_the_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shops", "check", "--production", str(EXAMPLES)]) == 1
    assert "qazaq-esim/shop.toml: sender.email: orders@qazaq-esim.example is an example" in capsys.readouterr().err


def test_values_hold_the_whole_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["shops", "values", str(EXAMPLES)]) == 0
    for path, text in json.loads(capsys.readouterr().out)["global"]["shops"].items():
        file = tmp_path / "shops" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert read_shops(tmp_path / "shops") == read_shops(EXAMPLES)


def test_a_broken_folder_makes_no_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "esimka").mkdir()
    assert main(["shops", "values", str(tmp_path)]) == 1
    assert capsys.readouterr().out == ""
