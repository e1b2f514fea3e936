"""What is accepted and what is refused, and that a refusal repeats nothing."""

import json
from typing import Any

import pytest

from ordering.catalogue import CatalogueFiles
from ordering.domain.contact import ContactError, read_email, read_phone
from ordering.domain.validation import Approved, Refusal, judge, valid_key


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Anna.Berg+esim@Example.ORG", "Anna.Berg+esim@example.org"),
        ('"much more unusual"@example.com', '"much more unusual"@example.com'),
        ("o'neil@sub.example.co.uk", "o'neil@sub.example.co.uk"),
        ("анна@пример.рф", "анна@пример.рф"),
        ("a@xn--e1afmkfd.xn--p1ai", "a@пример.рф"),
        ("buyer@shop.test", "buyer@shop.test"),
    ],
)
def test_unusual_addresses_are_kept(text: str, address: str) -> None:
    assert read_email(text).address == address
    assert read_email(text).key == address.lower()


@pytest.mark.parametrize(
    "text",
    [
        *("anna", "anna@", "@example.org", "a@localhost", "a@[127.0.0.1]", "a@-x.org", "a@example..org"),
        *("a b@example.org", "a@b@example.org", "a\n@example.org", "a" * 65 + "@example.org"),
    ],
)
def test_wrong_addresses(text: str) -> None:
    with pytest.raises(ContactError) as refused:
        read_email(text)
    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("+7 (701) 123-45-67", None, "+77011234567"),
        ("8 701 123 45 67", "KZ", "+77011234567"),
        ("+995 555 12 34 56", "KZ", "+995555123456"),
        ("00995555123456", "GE", "+995555123456"),
    ],
)
def test_phones_become_e164(text: str, region: str | None, number: str) -> None:
    assert read_phone(text, region) == number


@pytest.mark.parametrize(
    ("text", "region"), [("8 701 123 45 67", None), ("+7 701", "KZ"), ("phone", "KZ"), ("+999123456789", None)]
)
def test_wrong_phones(text: str, region: str | None) -> None:
    with pytest.raises(ContactError):
        read_phone(text, region)


OLD = ["offer_version", "privacy_version"]
WRONG: list[tuple[dict[str, Any], str, str, list[str]]] = [
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
    changes: dict[str, Any], storefront: str, reason: str, fields: list[str], good_order: Any
) -> None:
    catalogue = CatalogueFiles().current()
    shop = catalogue.storefront(storefront)
    assert shop is not None
    verdict = judge(good_order(storefront, **changes), shop, catalogue)
    assert isinstance(verdict, Refusal)
    assert (verdict.reason, [error.field for error in verdict.errors]) == (reason, fields)
    assert "secret" not in json.dumps([error.model_dump() for error in verdict.errors])
    assert verdict.detail


@pytest.mark.parametrize("body", [None, [], "order", 7, {}])
def test_what_is_no_order_at_all(body: object) -> None:
    catalogue = CatalogueFiles().current()
    assert isinstance(judge(body, catalogue.storefronts[0], catalogue), Refusal)


def test_an_outdated_document_names_the_current_one(good_order: Any) -> None:
    catalogue = CatalogueFiles().current()
    shop = catalogue.storefront("qazaq-esim")
    assert shop is not None
    verdict = judge(good_order("qazaq-esim", offer_version="old"), shop, catalogue)
    assert isinstance(verdict, Refusal)
    assert shop.documents.offer in verdict.errors[0].message


def test_each_shop_has_its_own_price(good_order: Any) -> None:
    catalogue = CatalogueFiles().current()
    prices = {}
    for shop in catalogue.storefronts:
        verdict = judge(good_order(shop.slug), shop, catalogue)
        assert isinstance(verdict, Approved)
        prices[shop.slug] = (verdict.price.amount, verdict.price.currency)
    assert prices == {"qazaq-esim": (499000, "KZT"), "e-sim-onl": (1050, "USD"), "esimka": (990, "USD")}


def test_idempotency_keys() -> None:
    assert valid_key("a") and valid_key("order 7/β".replace("β", "b"))  # noqa: PT018 - two examples of one thing
    assert not any(valid_key(key) for key in ("", "x" * 101, "a\x00", "a\n", "ключ"))
