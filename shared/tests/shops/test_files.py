"""How a change of the shops' folder takes effect, and what a broken one does."""

import shutil
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from shared.shops.faults import Fault, ShopsError
from shared.shops.files import ShopFiles
from shared.shops.reading import Shops
from shared.shops.settings import ShopSettings, warn_of_overrides
from shared.testing.shops import EXAMPLES, change, copied


class Timer:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path / "shops")


def settings(**values: str) -> ShopSettings:
    return ShopSettings(database_url="", kafka_bootstrap_servers="", **values)  # type: ignore[arg-type] # as the environment


def test_a_change_counts_within_a_second(folder: Path) -> None:
    timer = Timer()
    files = ShopFiles(folder, timer=timer)
    before = files.current()
    change(folder / "esimka" / "shop.toml", 'name = "eSIMka"', 'name = "eSIM.ka"')
    assert files.current() is before
    timer.now += 1
    assert files.current()["esimka"].name == "eSIM.ka"


def test_a_new_folder_is_a_new_shop_once_it_is_whole(folder: Path) -> None:
    timer = Timer()
    files = ShopFiles(folder, timer=timer)
    (folder / "travel-kg").mkdir()
    shutil.copy(folder / "esimka" / "shop.toml", folder / "travel-kg")
    timer.now += 1
    assert files.shop("travel-kg") is None
    assert {fault.file for fault in files.faults} == {
        "travel-kg/plans.toml",
        "travel-kg/brand/brand.toml",
        "travel-kg/policy",
    }
    shutil.copytree(folder / "esimka", folder / "travel-kg", dirs_exist_ok=True)
    timer.now += 1
    assert files.shop("travel-kg") is not None
    assert files.faults == ()


def test_a_broken_change_is_logged_once_shown_and_leaves_the_last_good_shops(folder: Path) -> None:
    timer, registry = Timer(), CollectorRegistry()
    files = ShopFiles(folder, timer=timer)
    files.measure(registry)
    good = files.current()
    assert registry.get_sample_value("shops_folder_refused") == 0
    change(folder / "esimka" / "plans.toml", "price = 990", "price = nine")
    with capture_logs() as logs:
        for _ in range(3):
            timer.now += 1
            assert registry.get_sample_value("shops_folder_refused") == 1
            assert files.current() is good
    assert [entry["event"] for entry in logs] == ["shops_refused"]
    assert "esimka/plans.toml" in logs[0]["faults"][0]
    change(folder / "esimka" / "plans.toml", "price = nine", "price = 991")
    timer.now += 1
    assert registry.get_sample_value("shops_folder_refused") == 0
    assert files.current() is not good


def test_a_folder_that_vanishes_leaves_the_last_good_shops(folder: Path) -> None:
    timer = Timer()
    files = ShopFiles(folder, timer=timer)
    shutil.rmtree(folder)
    timer.now += 1
    assert len(files.current()) == 3
    assert files.faults


def test_a_service_may_demand_more_of_the_folder(folder: Path) -> None:
    """As provisioning does of routes. What it refuses at the start ends the start, later the last good shops stay."""
    no_operator = Fault("esimka/shop.toml", "routes", "no such operator")
    demands: list[Fault] = []

    def check(_shops: Shops) -> list[Fault]:
        return demands

    timer = Timer()
    files = ShopFiles(folder, [check], timer=timer)
    demands.append(no_operator)
    change(folder / "esimka" / "shop.toml", 'name = "eSIMka"', 'name = "eSIM.ka"')
    timer.now += 1
    assert files.current()["esimka"].name == "eSIMka"
    assert files.faults == (no_operator,)
    with pytest.raises(ShopsError, match="no such operator"):
        ShopFiles(folder, [check])


def test_production_refuses_the_addresses_of_the_examples() -> None:
    key = "a" * 43 + "="
    assert ShopFiles.of(settings(shops_dir=str(EXAMPLES))).current()
    with pytest.raises(ShopsError, match="is an example; with ENVIRONMENT=production"):
        ShopFiles.of(settings(shops_dir=str(EXAMPLES), environment="production", seal_private_key=key))


class Overridden(ShopSettings):
    storefront_lapse_seconds: dict[str, int] = {}  # noqa: RUF012 - a pydantic field


def test_an_override_of_before_is_named_with_its_new_place(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"storefront_lapse_seconds": "shop.toml: deadlines.payment_seconds"}
    given = {"database_url": "", "kafka_bootstrap_servers": ""}
    with capture_logs() as logs:
        warn_of_overrides(Overridden(**given), places)  # type: ignore[arg-type] # as the environment
        assert logs == []
        monkeypatch.setenv("STOREFRONT_LAPSE_SECONDS", '{"esimka": 3}')
        warn_of_overrides(Overridden(**given), places)  # type: ignore[arg-type] # as above
    assert [(entry["setting"], entry["now"]) for entry in logs] == [
        ("STOREFRONT_LAPSE_SECONDS", "shop.toml: deadlines.payment_seconds")
    ]
