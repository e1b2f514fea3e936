"""The three languages say the same things, with the same values; and money, data and places are written well."""

import string

import pytest

from esim_fulfilment import Money, Plan
from example_shop import texts


def places(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_every_language_has_every_text_with_the_same_values() -> None:
    english = texts.texts("en")
    for language in texts.LANGUAGES:
        assert list(texts.texts(language)) == list(english), language
        assert {name: places(text) for name, text in texts.texts(language).items()} == {
            name: places(text) for name, text in english.items()
        }


@pytest.mark.parametrize(
    ("money", "language", "shown"),
    [
        (Money(amount=499_000, currency="KZT"), "ru", "4\u202f990\u00a0₸"),
        (Money(amount=499_050, currency="KZT"), "kk", "4\u202f990,50\u00a0₸"),
        (Money(amount=2_990, currency="USD"), "en", "$29.90"),
        (Money(amount=123_456_700, currency="USD"), "en", "$1,234,567"),
        (Money(amount=5, currency="GEL"), "en", "0.05\u00a0GEL"),
    ],
)
def test_money(money: Money, language: str, shown: str) -> None:
    assert texts.price(money, language) == shown


def test_data_and_places() -> None:
    plan = Plan(id="a", title="Anywhere 500 MB", coverage=("GE", "XX"), data_mb=500, validity_days=1, profile_type="a")
    assert (texts.data(5120, "en"), texts.data(500, "ru")) == ("5\u00a0GB", "500\u00a0МБ")
    assert texts.place(plan, "kk") == "Anywhere 500 MB"
    assert texts.place(plan.model_copy(update={"coverage": ("GE", "AM")}), "ru") == "Грузия, Армения"


def test_a_status_of_a_newer_service_is_shown_as_it_is_named() -> None:
    assert texts.status("gift_wrapped", "en") == "gift wrapped"
    assert texts.status_words("gift_wrapped", "en") == ""


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        (None, "kk-KZ,kk;q=0.9", "kk"),
        (None, "de,ru;q=0.8", "ru"),
        ("en", "ru", "en"),
        ("xx", "fr", "en"),
        (None, "", "en"),
    ],
)
def test_the_language_of_a_visit(cookie: str | None, accepted: str, language: str) -> None:
    assert texts.chosen(cookie, accepted) == language
