"""Words: texts in four languages, money, days and amounts of data as people write them, addresses."""

import re
from datetime import date
from html import unescape
from string import Formatter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.emails import KINDS, WITH_COMPANY
from notifications.emails.rules.message import recipient
from notifications.emails.rules.texts import Texts, day, days, money, texts, traffic, volume
from notifications.emails.samples import note_sample
from notifications.mail_review import page, policy_sections, sections_of
from notifications.storefronts import Storefronts
from shared.contracts import Language, Money
from shared.shops.files import ShopFiles
from shared.testing.languages import foreign_words
from shared.testing.shops import EXAMPLES
from shared.values.refusal import InvalidValueError

STORES = Storefronts(ShopFiles(EXAMPLES))


@pytest.mark.parametrize("language", get_args(Language))
def test_every_language_has_the_same_texts_with_the_same_places(language: Language) -> None:
    def places(all_texts: Texts) -> dict[str, dict[str, set[str]]]:
        return {
            section: {
                name: {part[1] or "" for part in Formatter().parse(text)} - {""} for name, text in entries.items()
            }
            for section, entries in all_texts.items()
        }

    assert places(texts(language)) == places(texts("en"))
    assert len(texts(language)["calendar"]["months"].split()) == 12
    assert len(texts(language)["calendar"]["days"].split()) == 3


@pytest.mark.parametrize("language", get_args(Language))
def test_no_sentence_of_another_language_stands_in_the_texts(language: Language) -> None:
    for section, entries in texts(language).items():
        for name, text in entries.items():
            assert foreign_words(text, language) == [], (section, name, text)
            others = [texts(other)[section][name] for other in get_args(Language) if other != language]
            plain = re.sub(r"\{\w+\}", "", text)
            assert text not in others or len(plain.split()) <= 1, (section, name, text)


@pytest.mark.parametrize("slug", STORES)
def test_a_sellers_reader_sees_every_mail_and_every_sentence(slug: str) -> None:
    shop = ShopFiles(EXAMPLES).current()[slug]
    shown = unescape(page(STORES[slug], policy_sections(shop)))
    for policy in shop.policies:
        for _, words in policy.sentences():
            assert [text for language in get_args(Language) if (text := getattr(words, language)) not in shown] == []
    for language in get_args(Language):
        for entries in texts(language).values():
            assert [text for text in entries.values() if text not in shown] == []
        for kind in KINDS:
            company = "Example LLC, 204378869" if kind in WITH_COMPANY else None
            sample = note_sample(STORES[slug], kind, language, company=company)
            assert sample.text in shown
            assert (company is not None) is ("204378869" in sample.text), "PO 1: in the mails of payment and receipt"
            assert re.search(r"[{}]", sample.subject + sample.text) is None, "a place that nobody filled"


def test_the_page_shows_the_texts_of_other_services_too() -> None:
    root = EXAMPLES.parent
    folders = sorted((root / "services").glob("*/src/*/*/texts"))
    assert len(folders) > 2
    for folder in folders:
        assert str(folder.relative_to(root)) in (root / "Makefile").read_text("utf-8")
        for _, rows in sections_of(folder):
            assert all(len(by_language) == len(get_args(Language)) for _, by_language in rows)


@pytest.mark.parametrize(
    "address", ["", "ann", "@example.org", "ann@", "a b@example.org", "a@b\r\nRCPT", "<a@b>", "a@.."]
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        recipient("Ann", address)
    assert str(refused.value) == "is not a valid e-mail address"


@pytest.mark.parametrize(
    ("address", "travels_as", "needs_utf8"),
    [
        ("max@faß.de", "max@xn--fa-hia.de", False),
        ("max@fass.de", "max@fass.de", False),
        ('"john smith"@example.org', '"john smith"@example.org', False),
        ("юлия@пример.рф", "юлия@xn--e1afmkfd.xn--p1ai", True),
    ],
)
def test_a_mail_goes_to_the_very_domain(address: str, travels_as: str, needs_utf8: bool) -> None:
    to = recipient("Max\x00 Muster\r\nBcc: x", address)
    assert (to.name, to.address, to.needs_utf8) == ("Max Muster Bcc: x", travels_as, needs_utf8)


def test_words() -> None:
    assert money(Money(amount=5, currency="USD"), "en") == "0.05\u00a0USD"
    assert money(Money(amount=1234567, currency="JPY"), "ru") == "1\u00a0234\u00a0567\u00a0JPY"
    assert day(date(2026, 1, 2), "en") == "2\u00a0January 2026"
    assert [days(count, "ru").split("\u00a0")[1] for count in (1, 3, 5, 11, 21, 30, 102, 112)] == [
        "день",
        "дня",
        "дней",
        "дней",
        "день",
        "дней",
        "дня",
        "дней",
    ]
    assert [traffic(size, "ru") for size in (0, 340 * 2**20, 1288490189)] == ["0\u00a0МБ", "340\u00a0МБ", "1,2\u00a0ГБ"]
    assert [days(count, "en") for count in (1, 2)] == ["1\u00a0day", "2\u00a0days"]
    assert [volume(size, "en") for size in (1024, 5120, 3000, 500, 1536)] == [
        "1\u00a0GB",
        "5\u00a0GB",
        "3\u00a0GB",
        "500\u00a0MB",
        "1536\u00a0MB",
    ]


@given(st.integers(0, 10**12), st.sampled_from(["KZT", "USD", "JPY", "KWD"]), st.sampled_from(get_args(Language)))
def test_no_money_is_lost_in_writing(amount: int, currency: str, language: Language) -> None:
    text = money(Money(amount=amount, currency=currency), language)
    digits = "".join(character for character in text if character.isdigit())
    assert int(digits) == amount


@pytest.mark.parametrize("slug", STORES)
def test_white_letters_can_be_read_on_each_storefronts_colour(slug: str) -> None:
    assert _contrast_with_white(STORES[slug].accent) >= 4.5


def _contrast_with_white(colour: str) -> float:
    """WCAG 2.2: relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05)
