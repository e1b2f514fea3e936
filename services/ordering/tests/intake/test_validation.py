"""Which orders are accepted and which are refused; a refusal repeats no value."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ordering.catalogue.models import Catalogue
from ordering.intake.models import Refusal, ValidOrder
from ordering.intake.rules.validation import valid_key, validate_order
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject
from shared.testing.shops import EXAMPLES

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody

OLD = ["offer_version", "privacy_version"]
COMPANY_NUMBER = ["buyer.company.number"]
WRONG: list[tuple[JsonObject, str, str, list[str]]] = [
    ({"plan": "no-such-plan"}, "esimka", "invalid-order", ["plan"]),
    ({"plan": "cn-5gb-30d"}, "esimka", "invalid-order", ["plan"]),  # sold by the others only
    ({"plan": "Not A Slug"}, "esimka", "invalid-order", ["plan"]),
    ({"plan": None}, "esimka", "invalid-order", ["plan"]),
    ({"email": "secret at example.org"}, "esimka", "invalid-order", ["buyer.email"]),
    ({"email": None}, "esimka", "invalid-order", ["buyer.email"]),
    ({"phone": "+7 701 secret"}, "esimka", "invalid-order", ["buyer.phone"]),
    ({"phone": None}, "qazaq-esim", "invalid-order", ["buyer.phone"]),
    ({"email": "secret", "phone": "secret"}, "esimka", "invalid-order", ["buyer.email", "buyer.phone"]),
    ({"name": "secret\r\nBcc: x@example.org"}, "esimka", "invalid-order", ["buyer.name"]),
    ({"name": "secret\x00"}, "esimka", "invalid-order", ["buyer.name"]),
    ({"name": "\ud800secret"}, "esimka", "invalid-order", ["buyer.name"]),
    ({"name": " "}, "esimka", "invalid-order", ["buyer.name"]),
    ({"name": "secret" * 50}, "esimka", "invalid-order", ["buyer.name"]),
    ({"language": "secret"}, "esimka", "invalid-order", ["buyer.language"]),
    ({"company": {"name": "secret", "number": "secret", "country": "KZ"}}, "esimka", "invalid-order", COMPANY_NUMBER),
    ({"company": {"name": "x", "number": "940140000384", "country": "KZ"}}, "esimka", "invalid-order", COMPANY_NUMBER),
    ({"company": {"name": "x", "number": "20437886", "country": "GE"}}, "esimka", "invalid-order", COMPANY_NUMBER),
    (
        {"company": {"name": " ", "number": "204378869", "country": "secret"}},
        "esimka",
        "invalid-order",
        ["buyer.company.name", "buyer.company.country"],
    ),
    ({"company": {"number": "204378869", "country": "GE"}}, "esimka", "invalid-order", ["buyer.company.name"]),
    ({"company": "secret"}, "esimka", "invalid-order", ["buyer.company"]),
    ({"buyer": "secret"}, "esimka", "invalid-order", ["buyer"]),
    ({"device_compatible": False}, "esimka", "invalid-order", ["device_compatible"]),
    ({"device_compatible": None}, "esimka", "invalid-order", ["device_compatible"]),
    ({"kind": "esim", "iccid": "8999999999999999999"}, "esimka", "invalid-order", ["iccid"]),
    ({"kind": "top_up"}, "esimka", "invalid-order", ["iccid"]),
    ({"kind": "top_up", "iccid": "89secret"}, "esimka", "invalid-order", ["iccid"]),
    ({"offer_version": "secret"}, "esimka", "outdated-documents", ["offer_version"]),
    ({"offer_version": "1", "privacy_version": "1"}, "esimka", "outdated-documents", OLD),
    ({"offer_version": "1", "email": "secret"}, "esimka", "invalid-order", ["buyer.email", "offer_version"]),
    ({"comment": "secret"}, "esimka", "invalid-order", ["comment"]),
    ({"secret@example.org": 1}, "esimka", "invalid-order", ["?"]),
    ({"newsletter": "secret"}, "esimka", "invalid-order", ["newsletter"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "storefront", "reason", "fields"), WRONG)
def test_refusals_name_fields_and_repeat_nothing(
    changes: JsonObject, storefront: str, reason: str, fields: list[str], good_order: "OrderBody"
) -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    shop = catalogue.storefront(storefront)
    assert shop is not None
    verdict = validate_order(good_order(storefront, **changes), shop, catalogue)
    assert isinstance(verdict, Refusal)
    assert (verdict.reason, [error.field for error in verdict.errors]) == (reason, fields)
    assert "secret" not in json.dumps([error.model_dump() for error in verdict.errors])
    assert verdict.detail


@pytest.mark.parametrize("body", [None, [], "order", 7, {}])
def test_values_that_are_no_order(body: object) -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    assert isinstance(validate_order(body, catalogue.storefronts[0], catalogue), Refusal)


def test_an_outdated_document_names_the_current_one(good_order: "OrderBody") -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    shop = catalogue.storefront("qazaq-esim")
    assert shop is not None
    verdict = validate_order(good_order("qazaq-esim", offer_version="old"), shop, catalogue)
    assert isinstance(verdict, Refusal)
    assert catalogue.documents("qazaq-esim").offer in verdict.errors[0].message


def test_each_shop_has_its_own_price(good_order: "OrderBody") -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    prices = {}
    for shop in catalogue.storefronts:
        verdict = validate_order(good_order(shop.slug), shop, catalogue)
        assert isinstance(verdict, ValidOrder)
        prices[shop.slug] = (verdict.price.amount, verdict.price.currency)
    assert prices == {"qazaq-esim": (499000, "KZT"), "e-sim-onl": (1050, "USD"), "esimka": (990, "USD")}


def test_idempotency_keys() -> None:
    assert valid_key("a") and valid_key("order 7/β".replace("β", "b"))  # noqa: PT018 - two examples of one thing
    assert not any(valid_key(key) for key in ("", "x" * 101, "a\x00", "a\n", "ключ"))
