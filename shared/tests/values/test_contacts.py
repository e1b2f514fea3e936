"""E-mail addresses and phone numbers: one spelling, and the domain that they name is the domain that is used."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.values.email_address import Email
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError

LOCALS = st.from_regex(r"[a-z0-9]{1,10}(\.[a-z0-9+_-]{1,10}){0,2}", fullmatch=True)
LABELS = st.from_regex(r"[a-zäöüßéñж][a-z0-9äöüßéñж]{0,10}[a-zäöüß]", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "ascii_domain"),
    [
        ("max@faß.de", "xn--fa-hia.de"),
        ("max@XN--FA-HIA.DE", "xn--fa-hia.de"),
        ("max@fass.de", "fass.de"),
        ("info@βόλος.com", "xn--nxasmm1c.com"),
        ("a@bücher.example.com", "xn--bcher-kva.example.com"),
        ("a@пример.рф", "xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_the_domain_is_read_by_idna2008(text: str, ascii_domain: str) -> None:
    email = Email.parse(text)
    assert email.ascii_domain == ascii_domain
    assert Email.stored(email.text) == email
    assert not email.needs_utf8


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Anna.Berg+esim@Example.ORG", "Anna.Berg+esim@example.org"),
        ("o'neil@sub.example.co.uk", "o'neil@sub.example.co.uk"),
        ("анна@пример.рф", "анна@пример.рф"),
        ("a@xn--e1afmkfd.xn--p1ai", "a@пример.рф"),
        ("buyer@shop.test", "buyer@shop.test"),
    ],
)
def test_unusual_addresses_are_kept(text: str, address: str) -> None:
    assert Email.parse(text).text == address
    assert Email.parse(text).key == address.lower()


def test_two_domains_are_two_mailboxes() -> None:
    assert Email.parse("max@faß.de").key != Email.parse("max@fass.de").key
    assert Email.parse("Max@Faß.de").key == Email.parse("max@xn--fa-hia.de").key


@pytest.mark.parametrize("text", ['"john smith"@example.org', '"a>b"@example.org', '"a\\"b"@example.org'])
def test_quoted_local_parts_are_taken_all_the_way(text: str) -> None:
    email = Email.parse(text)
    assert email.for_smtp == text
    assert Email.stored(email.text) == email


def test_international_local_parts_need_a_server_that_can() -> None:
    email = Email.parse("юлия@пример.рф")
    assert email.needs_utf8
    assert email.for_smtp == "юлия@xn--e1afmkfd.xn--p1ai"


def test_quotes_that_are_not_needed_are_dropped() -> None:
    assert Email.parse('"john"@example.org').text == "john@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b.org",
        "a@b",
        "a b@c.org",
        "a@[192.0.2.1]",
        "a@localhost",
        "a@-x.org",
        "a@b@example.org",
        "a\x00@b.org",
        '"a\x00b"@b.org',
        "a@b.org\nc",
        "a@b..org",
        "a" * 65 + "@b.org",
        "a@" + "b" * 64 + ".org",
        "a@b\x00.org",
        "a\ud800@b.org",
        "a@\ud800.org",
        "x" * 5000,
        "a@b.org,c@d.org",
    ],
)
def test_what_cannot_be_written_to_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        Email.parse(text)
    assert len(text) < 2 or text not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "a", "@", "a@", "a b@c.org", "a@b.org\r\nRCPT TO:<c@d.org>", "a<b@c.org", '"a\n"@b.org', "a@-.\ud800"]
)
def test_what_was_never_parsed_is_not_read_back(text: str) -> None:
    with pytest.raises(InvalidValueError):
        Email.stored(text)


@given(LOCALS, st.lists(LABELS, min_size=1, max_size=3))
def test_an_address_is_read_back_as_it_was_parsed(local: str, labels: list[str]) -> None:
    try:
        email = Email.parse(f"{local}@{'.'.join(labels)}.org")
    except InvalidValueError:
        return
    assert Email.parse(email.text) == email
    assert Email.stored(email.text) == email
    assert email.for_smtp.isascii()
    assert Email.parse(email.for_smtp) == email
    assert Email.parse(email.text.upper().replace("SS", "ss")).key == email.key or "ß" in email.text


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("+7 701 123 45 67", None),
        ("8 (701) 123-45-67", "KZ"),
        ("701 123 45 67", "KZ"),
        ("77011234567", "KZ"),
        ("\u202a+7 701 123 45 67\u202c", None),
        ("+7 701 123 45 67 ", "GE"),
        ("007 701 123 45 67", "GE"),
    ],
)
def test_a_number_has_one_spelling(text: str, region: str | None) -> None:
    assert Phone.parse(text, region).e164 == "+77011234567"


@pytest.mark.parametrize(
    "text", ["", "8 701 123 45 67", "+7", "+999 123 456 789", "701\x00123", "1" * 300, "\ud800", "abc"]
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError) as refused:
        Phone.parse(text, None)
    assert len(text) < 2 or text not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("77011234567", "+77011234567"),
        ("+7 701 123-45-67", "+77011234567"),
        ("8 (701) 123-45-67", "+77011234567"),
        ("7011234567", "+77011234567"),
        ("995555123456", "+995555123456"),
        ("555 12 34 56", "+995555123456"),
        ("0170 1234567", "+491701234567"),
    ],
)
def test_a_number_is_recognised_in_its_national_form(text: str, number: str) -> None:
    assert Phone(number) in Phone.claimed(text)


def test_another_number_is_not_recognised() -> None:
    assert Phone("+77011234567") not in Phone.claimed("8 701 123 45 68")
    assert Phone("+77011234567") not in Phone.claimed("1234567")
    assert Phone.claimed("+77011234567") == (Phone("+77011234567"),)
    assert Phone.claimed("nobody") == Phone.claimed("a\x00") == ()


@given(st.text(max_size=20) | st.from_regex(r"[0-9 ()+-]{5,16}", fullmatch=True))
@settings(max_examples=30, deadline=None)
def test_reading_what_somebody_tells_never_fails(text: str) -> None:
    for phone in Phone.claimed(text):
        assert Phone.parse(phone.e164, None) == phone


def test_nothing_personal_is_shown() -> None:
    assert "max" not in repr(Email.parse("max@example.org"))
    assert "701" not in repr(Phone("+77011234567"))
