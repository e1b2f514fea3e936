import email
import email.policy
import tomllib
from datetime import UTC, date, datetime
from email.header import decode_header, make_header
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import storefronts
from notifications.domain.activation import parse
from notifications.domain.letters import QrLetter, RefundLetter, Rendered
from notifications.domain.message import BadAddressError, message, recipient
from notifications.domain.render import render_qr, render_refund
from notifications.domain.words import Written, day, days, money, volume, written
from shared.contracts import Explanation, Money, Plan

STORES = storefronts.load()
CODE = parse("LPA:1$smdp.example$ABCDEFGHIJKLMNOPQRSTUVWXYZ")
PLAN = Plan(id="eu", title="Europe 10 GB", coverage=("FR", "DE"), data_mb=10240, validity_days=30, profile_type="x")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _qr(
    language: str = "en", name: str = "Ann", confirmation_code: str | None = None, slug: str = "esimka"
) -> Rendered:
    letter = QrLetter(
        STORES[slug],
        language,
        name,
        "10000001",
        plan=PLAN,
        code=CODE,
        confirmation_code=confirmation_code,
        iccid="8999702000000000018",
        apn="fast.t-m",
        valid_until=date(2027, 5, 19),
    )
    return render_qr(letter)


def _refund(language: str = "en", credited_by: date | None = date(2026, 12, 20)) -> Rendered:
    letter = RefundLetter(
        STORES["qazaq-esim"],
        language,
        "Ann",
        "10000001",
        amount=Money(amount=1299000, currency="KZT"),
        explanation=Explanation(en="It <could> not be made.", ru="Её не удалось <выпустить>."),
        clauses=("RP 2.1", "PO 5.4"),
        credited_by=credited_by,
    )
    return render_refund(letter)


@pytest.mark.parametrize("language", ["en", "ru", "kk", "ka"])
def test_a_delivery_has_all_that_interfaces_md_asks_for(language: str) -> None:
    rendered = _qr(language, confirmation_code="4471")
    until = {"en": "19\u00a0May 2027", "ru": "19\u00a0мая 2027\u00a0г."}[written(language)]
    for content in (rendered.text, rendered.html):
        for wanted in (
            "smdp.example",
            CODE.matching_id,
            CODE.text,
            "4471",
            "8999702000000000018",
            "fast.t-m",
            "10000001",
            "support@esimka.example",
            "FR, DE",
            until,
            CODE.apple_link,
            CODE.android_link,
        ):
            assert wanted in content
    roaming = {"en": "data roaming", "ru": "в роуминге"}[written(language)]
    assert roaming in rendered.text
    assert roaming in rendered.html
    [picture] = rendered.pictures
    assert f'src="cid:{picture.cid}"' in rendered.html
    assert "10000001" in rendered.subject


def test_without_a_confirmation_code_none_is_mentioned() -> None:
    rendered = _qr()
    assert "Confirmation code" not in rendered.text + rendered.html


def test_kazakh_is_written_in_russian_and_georgian_in_english_for_now() -> None:
    assert _qr("kk") == _qr("ru")
    assert _qr("ka") == _qr("en")
    assert written("xx") == "en"


@pytest.mark.parametrize("slug", STORES)
def test_each_storefront_writes_in_its_own_name(slug: str) -> None:
    rendered = _qr(slug=slug)
    assert STORES[slug].name in rendered.text
    assert STORES[slug].support in rendered.html
    assert _contrast_with_white(STORES[slug].accent) >= 4.5


def _contrast_with_white(colour: str) -> float:
    """WCAG 2.2: relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return 1.05 / (luminance + 0.05)


def test_names_cannot_bring_markup() -> None:
    rendered = _qr(name="<img src=x> & {letter} {0} {{ 7*7 }}")
    assert "<img src=x>" not in rendered.html
    assert "&lt;img src=x&gt; &amp; {letter} {0} {{ 7*7 }}" in rendered.html
    assert "<img src=x> & {letter} {0} {{ 7*7 }}" in rendered.text


def test_a_refund_says_how_much_why_and_when() -> None:
    english, russian = _refund(), _refund("ru")
    for wanted in ("12,990.00\u00a0KZT", "10000001", "20\u00a0December 2026", "RP 2.1, PO 5.4"):
        assert wanted in english.text
        assert wanted in english.html
    assert "It <could> not be made." in english.text
    assert "It &lt;could&gt; not be made." in english.html
    assert "12\u00a0990,00\u00a0KZT" in russian.subject
    assert "Её не удалось <выпустить>." in russian.text
    assert "Expected by" not in _refund(credited_by=None).text


def test_both_languages_have_the_same_texts() -> None:
    texts = [
        tomllib.loads((files("notifications") / "texts" / f"{code}.toml").read_text("utf-8")) for code in ("en", "ru")
    ]
    assert {section: set(entries) for section, entries in texts[0].items()} == {
        section: set(entries) for section, entries in texts[1].items()
    }


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("Ann Lee", "ann@example.org"),
        ("Айгүл «Нұрлан», мл.", "a.b+c@example.org"),
        ('O\'Neil "Bob" \\ <x@y>', "bob@пример.рф"),
        ("Line\r\nBcc: evil@example.org", "ann@example.org"),
        ("=?utf-8?q?x?=", "ann@example.org"),
        ("", "ann@example.org"),
        ("გიორგი " * 20, "g@example.org"),
    ],
)
def test_a_message_survives_any_name(name: str, address: str) -> None:
    rendered = _qr("ru", name=name)
    to = recipient(name, address)
    raw = message(rendered, STORES["esimka"], to, message_id="1.qr@mail.example", date=NOW)
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read.defects == []
    [mailbox] = read["to"].addresses
    # Python's own address parser puts spaces between encoded words (RFC 2047 section 6.2 says to ignore them).
    header = dict(email.message_from_bytes(raw).raw_items())["To"].rpartition("<")[0].strip().strip('"')
    assert str(make_header(decode_header(header))).split() == name.split()
    local, _, domain = address.partition("@")
    assert mailbox.addr_spec == f"{local}@{domain.encode('idna').decode()}"
    assert read["bcc"] is None
    assert read["subject"] == rendered.subject
    assert read["message-id"] == "<1.qr@mail.example>"
    assert read["date"].datetime == NOW
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert plain.get_content().splitlines() == rendered.text.splitlines()
    assert html.get_content().splitlines() == rendered.html.splitlines()
    [picture] = [part for part in read.walk() if part.get_content_type() == "image/png"]
    assert picture["content-id"] == "<qr>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == rendered.pictures[0].png


def test_the_same_letter_is_the_same_mail() -> None:
    to = recipient("Ann", "ann@example.org")
    once, again = (message(_qr(), STORES["esimka"], to, message_id="1.qr@m", date=NOW) for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    "address", ["", "ann", "@example.org", "ann@", "a b@example.org", "a@b\r\nRCPT", "<a@b>", "a@.."]
)
def test_what_is_no_address_is_refused_without_repeating_it(address: str) -> None:
    with pytest.raises(BadAddressError) as refused:
        recipient("Ann", address)
    assert str(refused.value) in {"not an address", "not a domain"}


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
    assert [days(count, "en") for count in (1, 2)] == ["1\u00a0day", "2\u00a0days"]
    assert [volume(size, "en") for size in (1024, 5120, 3000, 500, 1536)] == [
        "1\u00a0GB",
        "5\u00a0GB",
        "3\u00a0GB",
        "500\u00a0MB",
        "1536\u00a0MB",
    ]


@given(st.integers(0, 10**12), st.sampled_from(["KZT", "USD", "JPY", "KWD"]), st.sampled_from(["en", "ru"]))
def test_no_money_is_lost_in_writing(amount: int, currency: str, language: Written) -> None:
    text = money(Money(amount=amount, currency=currency), language)
    digits = "".join(character for character in text if character.isdigit())
    assert int(digits) == amount
