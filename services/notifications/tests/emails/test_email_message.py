"""The message (RFC 5322, MIME) that an e-mail is sent as."""

import email
import email.policy
from collections.abc import Callable
from datetime import UTC, datetime
from email.header import decode_header, make_header

import idna
import pytest

from notifications.emails.models.content import Rendered
from notifications.emails.rules.message import message, recipient
from notifications.storefronts import Storefronts
from shared.shops.files import ShopFiles
from shared.testing.shops import EXAMPLES

STORE = Storefronts(ShopFiles(EXAMPLES))["esimka"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CodeEmail = Callable[..., Rendered]


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
def test_a_message_survives_any_name(code_email: CodeEmail, name: str, address: str) -> None:
    rendered = code_email(language="ru", name=name)
    to = recipient(name, address)
    raw = message(rendered, STORE, to, message_id="1.qr@mail.example", date=NOW)
    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert read.defects == []
    [mailbox] = read["to"].addresses
    # Python's own address parser puts spaces between encoded words (RFC 2047 section 6.2 says to ignore them).
    header = dict(email.message_from_bytes(raw).raw_items())["To"].rpartition("<")[0].strip().strip('"')
    assert str(make_header(decode_header(header))).split() == name.split()
    local, _, domain = address.partition("@")
    assert mailbox.addr_spec == f"{local}@{idna.encode(domain).decode()}"
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


def test_the_same_email_is_the_same_message(code_email: CodeEmail) -> None:
    to = recipient("Ann", "ann@example.org")
    once, again = (message(code_email(), STORE, to, message_id="1.qr@m", date=NOW) for _ in range(2))
    assert once == again
