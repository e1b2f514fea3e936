"""Newsletters: their markup, the links for unsubscribing, and what a mail program needs for one click."""

import re
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifications.app import new_links
from notifications.emails.rules.dkim import Signature
from notifications.emails.rules.links import list_headers
from notifications.emails.rules.message import message, recipient
from notifications.newsletters.models import NewsletterText
from notifications.newsletters.rules import html, render_newsletter
from notifications.settings import Settings
from notifications.storefronts import Storefronts
from shared.shops.files import ShopFiles
from shared.testing.shops import EXAMPLES


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("# Title", "<h2>Title</h2>"),
        ("<script>alert(1)</script>", "&lt;script&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript"),
        ("[x](data:text/html,x)", "[x](data"),
        ("![x](https://spy.example/p.png)", '!<a href="https://spy.example/p.png">'),
        ("[x](mailto:a@b.example)", 'href="mailto:a@b.example"'),
        ('<img src=x onerror="a">', "&lt;img"),
    ],
)
def test_the_markup_brings_no_script_and_no_pictures(text: str, made: str) -> None:
    found = html(text)
    assert made in found
    assert not re.search(r"<(script|img)|href=\"(javascript|data)", found)


def test_links_for_unsubscribing_are_ours_alone() -> None:
    settings = Settings(database_url="x", kafka_bootstrap_servers="x")
    links, others = new_links(settings), new_links(Settings(database_url="x", kafka_bootstrap_servers="x"))
    buyer: UUID = uuid4()
    token = links.unsubscribe(buyer).rpartition("/")[2]
    assert links.unsubscriber(token) == buyer
    for stranger in (others.unsubscribe(buyer).rpartition("/")[2], token + "A", "", "é"):
        with pytest.raises(ValueError, match="not a link of ours"):
            links.unsubscriber(stranger)


def test_what_mail_programs_need_for_one_click_is_signed() -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    store = Storefronts(ShopFiles(EXAMPLES))["esimka"]
    link = "https://orders.example/unsubscribe/x"
    mail = message(
        render_newsletter(store, "en", NewsletterText("News", "*Hi*"), "Ann", link),
        store,
        recipient("Ann", "ann@example.org"),
        message_id="1.newsletter@m",
        date=datetime(2026, 11, 20, tzinfo=UTC),
        signers=[Signature.of("esimka.example", "s1", pem.decode())],
        more=list_headers(link),
    ).decode()
    head = mail.partition("\r\n\r\n")[0]
    assert f"List-Unsubscribe: <{link}>" in head
    assert "list-unsubscribe:list-unsubscribe-post" in head.partition(" bh=")[0]
