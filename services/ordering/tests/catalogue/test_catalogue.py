"""The catalogue: what the shops' folder says at each moment. Its files are tested in shared/tests/shops."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from ordering.catalogue import CatalogueFiles
from ordering.catalogue.models import Catalogue
from ordering.holds.models import Limits
from ordering.holds.rules import limits_of
from ordering.settings import Settings
from shared.shops.files import ShopFiles
from shared.shops.models import FraudLimits
from shared.shops.reading import read_shops
from shared.testing.shops import EXAMPLES, change, copied

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


class HandClock:
    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The shops, of which esimka lowers a price at noon for a day, and has another offer from the same moment on."""
    folder = copied(tmp_path / "shops")
    with (folder / "esimka" / "plans.toml").open("a", encoding="utf-8") as plans:
        plans.write(
            '\n[[plan]]\nid = "tr-5gb-30d"\ntitle = "Turkey 5 GB"\ncoverage = ["TR"]\ndata_mb = 5120\n'
            'validity_days = 30\nprofile_type = "tr-data"\nprice = 777\n'
            "effective_from = 2026-12-01T16:00:00+04:00\neffective_until = 2026-12-02T16:00:00+04:00\n"
        )
    change(
        folder / "esimka" / "shop.toml",
        "[[crediting]]",
        '[[documents]]\noffer = "PO-2"\nprivacy = "PP-2"\nrefund = "RF-2"\n'
        'effective_from = "2026-12-01T16:00:00+04:00"\n\n[[crediting]]',
    )
    return folder


def price(catalogue: Catalogue, storefront: str = "esimka") -> int | None:
    offer = catalogue.offer(storefront, "tr-5gb-30d")
    return offer and offer[1].amount


def test_prices_and_documents_take_effect_at_their_moment(folder: Path) -> None:
    clock = HandClock(NOON - INSTANT)
    files = CatalogueFiles(ShopFiles(folder), clock)

    def seen() -> tuple[int | None, str]:
        return price(files.current()), files.current().documents("esimka").offer

    assert seen() == (990, "PO-2026-04-22")
    clock.at = NOON
    assert seen() == (777, "PO-2")
    clock.at = NOON + timedelta(days=1) - INSTANT
    assert seen() == (777, "PO-2")
    clock.at = NOON + timedelta(days=1)
    assert seen() == (None, "PO-2")
    assert price(files.current(), "e-sim-onl") == 1050
    clock.at = NOON - INSTANT  # a clock may be put back
    assert seen() == (990, "PO-2026-04-22")


def test_between_two_moments_the_catalogue_is_made_once(folder: Path) -> None:
    clock = HandClock(NOON)
    files = CatalogueFiles(ShopFiles(folder), clock)
    made = files.current()
    clock.at += timedelta(hours=23)
    assert files.current() is made


def test_a_changed_file_changes_the_catalogue(folder: Path) -> None:
    now = [0.0]
    files = CatalogueFiles(ShopFiles(folder, timer=lambda: now[0]), HandClock(NOON - INSTANT))
    change(folder / "esimka" / "plans.toml", "price = 990", "price = 991")
    assert price(files.current()) == 990
    now[0] += 1
    assert price(files.current()) == 991
    # A new folder is a new shop, without a restart.
    shutil.copytree(folder / "esimka", folder / "travel-kg")
    now[0] += 1
    assert price(files.current(), "travel-kg") == 991
    assert files.current().documents("travel-kg") == files.current().documents("esimka")


def test_each_shop_sells_its_own_plans_in_their_sequence() -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), NOON)
    for slug, shop in read_shops(EXAMPLES).items():
        assert [plan.id for plan, _ in catalogue.sold_by(slug)] == [plan.id for plan in shop.plans]
    assert catalogue.offer("e-sim-onl", "am-ge-10gb-30d") is None


def test_a_shop_may_have_fraud_limits_of_its_own() -> None:
    usual = Limits(orders_by_email=7)
    assert limits_of(FraudLimits(), usual) == usual
    assert limits_of(FraudLimits(emails_by_phone=2), usual) == Limits(orders_by_email=7, emails_by_phone=2)


def test_the_setting_of_before_is_refused_with_the_new_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE_DIR", "/etc/catalogue")
    with pytest.raises(ValidationError, match=r"is not read any more: each shop has a folder in SHOPS_DIR"):
        Settings(database_url="", kafka_bootstrap_servers="")
