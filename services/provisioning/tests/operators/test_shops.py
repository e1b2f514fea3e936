"""What a shop's folder says to provisioning: routes, what operators may learn, deadlines, days."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from provisioning.clients.instant import InstantOperator
from provisioning.clients.models import OperatorClient, Traits
from provisioning.operators.routes_in_force import RoutesInForce
from provisioning.operators.rules.routing import Offer
from provisioning.settings import Settings
from provisioning.shop_terms import ShopTerms
from shared.sealed import Opener, new_private_key
from shared.shops.faults import ShopsError
from shared.shops.files import ShopFiles
from shared.testing.documents import FieldValue
from shared.testing.shops import change, copied

A, B = ({"name": name, "adapter": "instant"} for name in ("a", "b"))
OWN = '\n[routes]\n"tr-data" = [{ operator = "b", profile_type = "turk-5" }, { operator = "a" }]\n'


class Curious(InstantOperator):
    traits = Traits(repeatable=True, personal_fields=frozenset({"email"}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(tmp_path / "shops")


def settings_of(folder: Path, **fields: FieldValue) -> Settings:
    return Settings(
        database_url="",
        kafka_bootstrap_servers="",
        notifications_seal_public_key=Opener(new_private_key()).public_key,
        shops_dir=folder,
        operators=[A, B],
        **fields,
    )


def routes(folder: Path, operators: Mapping[str, OperatorClient] | None = None, **fields: object) -> RoutesInForce:
    known = operators or {name: InstantOperator(name) for name in ("a", "b")}
    return RoutesInForce(settings_of(folder, **fields), known, "a")


def write(folder: Path, text: str, slug: str = "esimka") -> None:
    with (folder / slug / "shop.toml").open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_shop_has_routes_of_its_own_above_those_of_all(folder: Path) -> None:
    write(folder, OWN)
    found = routes(folder, routes={"*": {"tr-data": [{"operator": "a", "profile_type": "TR"}]}})()
    assert found.offers("esimka", "tr-data") == (Offer("b", "turk-5"), Offer("a", "tr-data"))
    assert found.offers("e-sim-onl", "tr-data") == (Offer("a", "TR"),)
    assert found.offers("esimka", "kz-data") == (Offer("a", "kz-data"),)


def test_a_route_to_an_operator_that_is_not_here_is_refused(folder: Path) -> None:
    write(folder, OWN)
    with pytest.raises(ShopsError, match=r"esimka/shop\.toml: routes: b is not an operator of this deployment"):
        routes(folder, {"a": InstantOperator("a")})


def test_a_changed_route_counts_and_a_broken_one_leaves_the_last_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.shops.files._CHECK_SECONDS", 0.0)  # a change counts at the next use
    found = routes(folder)
    write(folder, OWN)
    assert found().offers("esimka", "tr-data")[0] == Offer("b", "turk-5")
    change(folder / "esimka" / "shop.toml", 'operator = "b"', 'operator = "c"')
    assert found().offers("esimka", "tr-data")[0] == Offer("b", "turk-5")
    assert [fault.field for fault in found.shops.faults] == ["routes"]


@pytest.mark.parametrize(("allowed", "fine"), [('["name"]', False), ('["email"]', True), ("[]", False)])
def test_a_shop_allows_operators_what_they_learn(folder: Path, allowed: str, fine: bool) -> None:
    change(folder / "esimka" / "shop.toml", 'phone_region = "GE"', f"personal_data_for_operators = {allowed}")
    write(folder, '\n[routes]\n"*" = [{ operator = "b" }]\n')
    operators = {"a": InstantOperator("a"), "b": Curious("b")}
    if fine:
        assert routes(folder, operators)()
    else:
        with pytest.raises(ShopsError, match="operator b needs email, which storefront esimka does not allow"):
            routes(folder, operators)


def test_time_zone_and_deadlines_are_the_shops_own(folder: Path) -> None:
    write(folder, "\n[deadlines]\ndelivery_seconds = 1800\nunused_days = 90\n")
    settings = settings_of(folder, provisioning_deadline_seconds=60)
    terms = ShopTerms(settings, ShopFiles(folder))
    assert (terms.deadline("esimka"), terms.unused_days("esimka")) == (timedelta(seconds=1800), 90)
    assert (terms.deadline("e-sim-onl"), terms.unused_days("e-sim-onl")) == (timedelta(seconds=60), 180)
    assert [terms.zone(slug) for slug in ("esimka", "e-sim-onl", "nowhere")] == [
        ZoneInfo("Asia/Tbilisi"),
        ZoneInfo("UTC"),
        ZoneInfo("UTC"),
    ]


def test_settings_of_before_count_above_the_folder(folder: Path) -> None:
    write(folder, "\n[deadlines]\ndelivery_seconds = 1800\nunused_days = 90\n")
    settings = settings_of(
        folder,
        storefront_deadline_seconds={"esimka": 2.5},
        storefront_unused_validity_days={"esimka": 365},
        storefront_time_zones={"esimka": "Asia/Almaty"},
    )
    terms = ShopTerms(settings, ShopFiles(folder))
    assert terms.deadline("esimka") == timedelta(seconds=2.5)
    assert terms.unused_days("esimka") == 365
    assert terms.zone("esimka") == ZoneInfo("Asia/Almaty")
