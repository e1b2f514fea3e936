"""The shops' folder: what it contains, and every fault with its file and field."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts import Plan
from shared.shops.checks import no_example_addresses
from shared.shops.entry import in_force
from shared.shops.faults import Fault, ShopsError
from shared.shops.holidays import known_holidays
from shared.shops.reading import read_shops
from shared.testing.shops import EXAMPLES, change, copied

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path / "shops")


def refused(folder: Path) -> list[str]:
    with pytest.raises(ShopsError) as error:
        read_shops(folder)
    return str(error.value).splitlines()


def test_the_three_sellers() -> None:
    shops = read_shops(EXAMPLES, [known_holidays])
    assert {slug: (shop.currency, shop.time_zone, shop.language) for slug, shop in shops.items()} == {
        "e-sim-onl": ("USD", "UTC", "en"),
        "esimka": ("USD", "Asia/Tbilisi", "ru"),
        "qazaq-esim": ("KZT", "Asia/Almaty", "ru"),
    }
    assert all(len(shop.plans) >= 12 for shop in shops.values())
    [plan] = [plan for plan in shops["esimka"].plans if plan.id == "tr-5gb-30d"]
    assert plan.price == 990
    assert plan.plan == Plan(
        id="tr-5gb-30d",
        title="Turkey 5 GB, 30 days",
        coverage=("TR",),
        data_mb=5120,
        validity_days=30,
        profile_type="tr-data",
    )
    wallet = shops["e-sim-onl"].promise("wallet")
    assert wallet is not None
    assert wallet.clause == "RC 3"
    assert shops["esimka"].promise("wallet") is None


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("shop.toml", "Asia/Tbilisi", "Asia/Tbilissi", "shop.toml: time_zone: is not a time zone"),
        ("shop.toml", 'name = "eSIMka"', 'name = ""', "shop.toml: name: "),
        ("shop.toml", 'name = "eSIMka"', 'name = "eSIMka"\ncolour = "red"', "shop.toml: colour: Extra inputs"),
        ("shop.toml", 'currency = "USD"', 'currency = "dollars"', "shop.toml: currency: "),
        ("shop.toml", '"ka"]', '"xx"]', "shop.toml: languages.3: "),
        ("shop.toml", "support@esimka.example", "support", "shop.toml: support.email: "),
        ("shop.toml", 'sms = "eSIMka"', 'sms = "eSIMka-Georgia"', "shop.toml: sender.sms: "),
        ("shop.toml", "privacy = ", "privacy_policy = ", "shop.toml: documents.1.privacy: Field required"),
        ("shop.toml", "calendar_days = 30", "calendar_days = 30, business_days = 3", "crediting.1.usually_by: give "),
        ("shop.toml", "calendar_days = 30", 'calendar_days = "30"', "crediting.1.usually_by.calendar_days: "),
        ("shop.toml", '["card"]', '["card", "card"]', "shop.toml: crediting: a method of payment has two promises"),
        ("shop.toml", 'name = "eSIMka"', "name = eSIMka", "shop.toml: Invalid value (at line 3"),
        ("plans.toml", "price = 990", "price = 0", "plans.toml: plan.tr-5gb-30d.price: "),
        ("plans.toml", "price = 990", "price = 9.90", "plans.toml: plan.tr-5gb-30d.price: "),
        ("plans.toml", "price = 990", "price = true", "plans.toml: plan.tr-5gb-30d.price: "),
        ("plans.toml", 'id = "tr-5gb-30d"', 'id = "tr-20gb-30d"', "plan tr-20gb-30d: effective_from: two versions"),
        ("plans.toml", '["TR"]', '["Turkey"]', "plans.toml: plan.tr-5gb-30d.coverage.1: "),
        ("plans.toml", "[[plan]]\nid", "[[plans]]\nid", "plans.toml: plans: Extra inputs"),
        ("plans.toml", "price = 990", "price = 990\neffective_from = 2026-12-01", "tr-5gb-30d.effective_from: "),
        ("brand/brand.toml", "#a8324a", "#e8a2ba", "brand/brand.toml: accent: white text on it has a contrast of 2"),
        ("policy/2026-04-22.toml", 'source = "', 'sauce = "', "policy/2026-04-22.toml: sauce: Extra inputs"),
        ("policy/2026-04-22.toml", 'version = "2026', 'version = "2025', "version: is the file's name: 2026-04-22"),
    ],
)
def test_a_fault_names_file_and_field(folder: Path, file: str, old: str, new: str, fault: str) -> None:
    change(folder / "esimka" / file, old, new)
    lines = refused(folder)
    assert any(line.startswith("esimka/") and fault in line for line in lines), lines


def test_all_faults_of_all_shops_are_reported_at_once(folder: Path) -> None:
    change(folder / "esimka" / "shop.toml", "Asia/Tbilisi", "Asia/Tbilissi")
    change(folder / "esimka" / "plans.toml", "price = 990", "price = 0")
    (folder / "e-sim-onl" / "brand" / "brand.toml").unlink()
    (folder / "qazaq-esim" / "plan.toml").touch()
    (folder / "Travel KG").mkdir()
    (folder / "README").touch()
    lines = refused(folder)
    for fault in (
        "README: is not a shop: only folders stand here",
        "Travel KG: is not the name of a shop",
        "Travel KG/plans.toml: is not there",
        "e-sim-onl/brand/brand.toml: is not there",
        "esimka/plans.toml: plan.tr-5gb-30d.price: ",
        "esimka/shop.toml: time_zone: ",
        "qazaq-esim/plan.toml: is not part of a shop's folder",
    ):
        assert any(line.startswith(fault) for line in lines), (fault, lines)


def test_a_missing_and_an_empty_folder(tmp_path: Path) -> None:
    assert "cannot read the folder" in refused(tmp_path / "nowhere")[0]
    (tmp_path / ".hidden").mkdir()
    assert "has no shop in it" in refused(tmp_path)[0]


def test_what_a_mounted_volume_hides_is_no_shop(folder: Path) -> None:
    """Kubernetes mounts a ConfigMap as links to a hidden folder of its own."""
    (folder / "esimka").rename(folder / "..2026_12_01")
    (folder / "..data").symlink_to("..2026_12_01")
    (folder / "esimka").symlink_to("..data")
    assert sorted(read_shops(folder)) == ["e-sim-onl", "esimka", "qazaq-esim"]


def test_a_price_takes_effect_at_its_moment(folder: Path) -> None:
    with (folder / "esimka" / "plans.toml").open("a", encoding="utf-8") as plans:
        plans.write(
            '\n[[plan]]\nid = "tr-5gb-30d"\ntitle = "Turkey 5 GB"\ncoverage = ["TR"]\ndata_mb = 5120\n'
            'validity_days = 30\nprofile_type = "tr-data"\nprice = 777\n'
            "effective_from = 2026-12-01T16:00:00+04:00\neffective_until = 2026-12-02T16:00:00+04:00\n"
        )
    versions = [plan for plan in read_shops(folder)["esimka"].plans if plan.id == "tr-5gb-30d"]

    def price(at: datetime) -> int | None:
        version = in_force(versions, at)
        return version.price if version is not None and version.sold(at) else None

    moment = timedelta(microseconds=1)
    assert price(NOON - moment) == 990
    assert price(NOON) == 777
    assert price(NOON + timedelta(days=1) - moment) == 777
    assert price(NOON + timedelta(days=1)) is None


def test_production_has_no_addresses_of_examples() -> None:
    with pytest.raises(ShopsError) as error:
        read_shops(EXAMPLES, [no_example_addresses])
    # Support and sender, site and payment page, of three shops.
    assert len(error.value.faults) == 12
    assert error.value.faults[0] == Fault(
        "e-sim-onl/shop.toml",
        "support.email",
        "support@e-sim-onl.example is an example; with ENVIRONMENT=production it must be the shop's own",
    )


def test_the_country_of_the_holidays_is_known(folder: Path) -> None:
    change(folder / "esimka" / "shop.toml", 'holidays = "GE"', 'holidays = "XX"')
    with pytest.raises(ShopsError, match=r"esimka/shop\.toml: holidays: is not a country"):
        read_shops(folder, [known_holidays])
