"""Signatures and return paths: what other mail servers make of our mails, and what they send back."""

import base64
import quopri
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING
from uuid import UUID

import dkim  # type: ignore[import-untyped] # ships no types
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from notifications.bounces.rules import NotABounceError, read
from notifications.emails.models.content import Rendered
from notifications.emails.rules.dkim import NotASigningKeyError, Signature
from notifications.emails.rules.links import BadLinkError, Links
from notifications.emails.rules.message import message, recipient
from notifications.storefronts import Storefronts
from shared.contracts import DeliveryFailed, QrDelivered
from shared.ids import uuid7
from shared.shops.files import ShopFiles
from shared.testing.shops import EXAMPLES

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Notifications, Start

STORE = Storefronts(ShopFiles(EXAMPLES))["esimka"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LINKS = Links(b"k" * 32, "https://orders.example", "mail.example")
Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
BOUNCE_KEY = "bounce-key-of-the-test"


def _pem(key: Key) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def _published(key: Key) -> bytes:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw))
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


def _verified(raw: bytes, records: dict[bytes, bytes]) -> bool:
    return bool(dkim.verify(raw, dnsfunc=lambda name, timeout=5: records.get(name)))  # noqa: ARG005 - its caller names it


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()])
@pytest.mark.parametrize("name", ["Ann", "Айгүл  «Нұрлан»", "გიორგი " * 20])
def test_another_implementation_verifies_the_signature(key: Key, name: str) -> None:
    signer = Signature.of("esimka.example", "s1", _pem(key))
    rendered = Rendered("Ваша eSIM готова: Турция 5 ГБ — заказ 10000001, спасибо", "text\n\n\n", "<p>html</p>\n")
    raw = message(
        rendered, STORE, recipient(name, "a@example.org"), message_id="1.qr@m.example", date=NOW, signers=[signer]
    )
    records = {b"s1._domainkey.esimka.example.": _published(key)}
    assert _verified(raw, records)
    assert not _verified(raw.replace(b"To: ", b"To: x", 1), records)
    assert not _verified(raw.replace(b"MIME-Version: 1.0", b"MIME-Version: 1.1", 1), records)
    assert not _verified(raw.replace(b"--\r\n", b"-- \r\n"), records)
    assert not _verified(raw, {b"s1._domainkey.esimka.example.": _published(_other(key))})


def _other(key: Key) -> Key:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048)


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused_without_repeating_it(pem: str) -> None:
    with pytest.raises(NotASigningKeyError) as refused:
        Signature.of("a.example", "s1", pem)
    assert len(pem) < 3 or pem not in str(refused.value)


KINDS = st.sampled_from(["qr", "receipt", "information", "settled"])


@given(KINDS, st.uuids())
def test_a_return_path_comes_back_as_the_mail_that_it_was(kind: str, subject: UUID) -> None:
    path = LINKS.return_path(kind, subject)
    assert len(path.partition("@")[0]) <= 64
    assert LINKS.returned(path) == (kind, subject)
    assert LINKS.returned(f"<{path.upper()}>") == (kind, subject)


@given(KINDS, st.uuids(), st.integers(0, 60), st.sampled_from("abc234"))
def test_an_altered_return_path_names_no_mail(kind: str, subject: UUID, at: int, letter: str) -> None:
    local, _, domain = LINKS.return_path(kind, subject).partition("@")
    altered = local[: at % len(local)] + letter + local[at % len(local) + 1 :]
    if altered != local:
        with pytest.raises(BadLinkError):
            LINKS.returned(f"{altered}@{domain}")


@given(st.uuids(), st.integers(0, 200), st.sampled_from("AZaz09-_.=é"))
def test_an_altered_link_opens_nothing(order: UUID, at: int, letter: str) -> None:
    token = LINKS.token(order, "a@example.org", NOW)
    assert LINKS.order_of(token, NOW) == order
    LINKS.check(token, "a@example.org")
    altered = token[: at % len(token)] + letter + token[at % len(token) + 1 :]
    if altered == token:
        return
    with pytest.raises(BadLinkError):
        _open(altered)


def _open(token: str) -> None:
    LINKS.order_of(token, NOW)
    LINKS.check(token, "a@example.org")


def test_a_link_is_for_its_address_and_its_time_only() -> None:
    token = LINKS.token(uuid7(), "a@example.org", NOW)
    with pytest.raises(BadLinkError):
        LINKS.check(token, "b@example.org")
    LINKS.order_of(token, NOW + timedelta(days=399))
    with pytest.raises(BadLinkError):
        LINKS.order_of(token, NOW + timedelta(days=402))
    with pytest.raises(BadLinkError):
        Links(b"x" * 32, "https://orders.example", "mail.example").check(token, "a@example.org")


def _notification(
    to: str, action: str = "failed", status: str = "5.1.1", diagnostic: str = "smtp; 550 5.1.1 No such user"
) -> bytes:
    """As Postfix writes it."""
    lines = [
        "Return-Path: <>",
        "From: Mail Delivery System <mailer-daemon@mx.example>",
        "Subject: Undelivered Mail Returned to Sender",
        f"To: {to}",
        "MIME-Version: 1.0",
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"',
        "",
        "--B",
        "Content-Type: text/plain",
        "",
        "This is the mail system. I am sorry.",
        "",
        "--B",
        "Content-Type: message/delivery-status",
        "",
        "Reporting-MTA: dns; mx.example",
        "",
        "Final-Recipient: rfc822; nobody@example.org",
        f"Action: {action}",
        f"Status: {status}",
        f"Diagnostic-Code: {diagnostic}",
        "",
        "--B",
        "Content-Type: text/rfc822-headers",
        "",
        "Subject: x",
        "",
        "--B--",
        "",
    ]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("action", "status", "diagnostic", "final", "code", "enhanced"),
    [
        ("failed", "5.1.1", "smtp; 550 5.1.1 No such user", True, 550, "5.1.1"),
        ("failed", "5.0.0", "smtp; 552-5.2.2 The mailbox is full", True, 552, "5.2.2"),
        ("failed", "4.4.7", "x-unix; gave up", True, 554, "4.4.7"),
        ("delayed", "4.2.2", "smtp; 452 4.2.2 over quota", False, 452, "4.2.2"),
        ("delayed", "4.0.0", "", False, 450, "4.0.0"),
        ("FAILED", "nonsense", "nonsense", True, 554, None),
    ],
)
def test_notifications_are_read(
    action: str, status: str, diagnostic: str, final: bool, code: int, enhanced: str | None
) -> None:
    found, addresses = read(_notification("bounce+x@mail.example", action, status, diagnostic))
    assert (found.final, found.smtp_code, found.enhanced_code) == (final, code, enhanced)
    assert addresses == ("bounce+x@mail.example",)


STATUS = """Reporting-MTA: dns; mx.example

Final-Recipient: utf-8; юлия@пример.рф
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 Нет такого ящика
"""


@pytest.mark.parametrize("kind", ["delivery-status", "global-delivery-status", "Global-Delivery-Status; charset=utf-8"])
@pytest.mark.parametrize("encoding", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize("folded", [" ", "\r\n "])
def test_notifications_are_read_of_either_kind_in_any_encoding(kind: str, encoding: str, folded: str) -> None:
    body = STATUS.replace("\n", "\r\n").encode()
    encoded = {"8bit": body, "base64": base64.encodebytes(body), "quoted-printable": quopri.encodestring(body)}[
        encoding
    ]
    raw = (
        b"To: bounce+x@mail.example\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        b"--B\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--B\r\n"
        + f"Content-Type:{folded}message/{kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + encoded
        + b"\r\n--B--\r\n"
    )
    found, addresses = read(raw)
    assert (found.final, found.smtp_code, found.enhanced_code) == (True, 550, "5.1.1")
    assert addresses == ("bounce+x@mail.example",)


def _plain(text: str, *, sender: str = "MAILER-DAEMON@mx.example", encoding: str = "8bit", more: str = "") -> bytes:
    head = f"From: <{sender}>\r\nTo: bounce+x@mail.example\r\n{more}MIME-Version: 1.0\r\n"
    body = text.encode() if encoding == "8bit" else base64.encodebytes(text.encode())
    return (
        f"{head}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        + body
    )


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
@pytest.mark.parametrize(
    ("text", "final", "code", "enhanced"),
    [
        (f"Your message was not delivered.\n\n{STATUS}", True, 550, "5.1.1"),
        ("I'm sorry.\n<nobody@example.org>:\nRemote host said: 550 5.1.1 No such user\n", True, 550, "5.1.1"),
        ("host mx.example [192.0.2.1]: 552-5.2.2 The mailbox is full\n", True, 552, "5.2.2"),
        ("still trying: 452 #4.2.2 over quota\n", False, 452, "4.2.2"),
        ("tried: 452 4.2.2 over quota; gave up: 554 5.4.7 expired\n", True, 554, "5.4.7"),
    ],
)
def test_notifications_in_plain_text_are_read(
    text: str,
    final: bool,
    code: int,
    enhanced: str,
    encoding: str,
) -> None:
    found, _ = read(_plain(text, encoding=encoding))
    assert (found.final, found.smtp_code, found.enhanced_code) == (final, code, enhanced)


@pytest.mark.parametrize(
    "raw",
    [
        _plain("I am away. My old address gives 550 5.1.1.", more="Auto-Submitted: auto-replied\r\n"),
        _plain("What is 550 5.1.1?", sender="buyer@example.org"),
        _plain("Thank you for 550 points and version 5.1.1"),
    ],
)
def test_what_is_no_mail_system_that_speaks_of_a_mail_is_no_bounce(raw: bytes) -> None:
    with pytest.raises(NotABounceError):
        read(raw)


def test_parts_within_parts_within_parts_are_no_bounce() -> None:
    opened = b"".join(
        f'Content-Type: multipart/mixed; boundary="{number}"\r\n\r\n--{number}\r\n'.encode() for number in range(3000)
    )
    with pytest.raises(NotABounceError):
        read(opened)


def test_a_notification_written_by_a_library_is_read() -> None:
    outer = EmailMessage()
    outer["To"] = "<bounce+x@mail.example>"
    outer["X-Original-To"] = "bounce+y@mail.example"
    status = EmailMessage()
    status["Action"], status["Status"] = "failed", "5.7.1"
    outer.set_type("multipart/report")
    part = EmailMessage()
    part.set_type("message/delivery-status")
    part.set_payload([EmailMessage(), status])
    outer.set_payload([part])
    found, addresses = read(outer.as_bytes())
    assert (found.smtp_code, found.enhanced_code) == (554, "5.7.1")
    assert addresses == ("bounce+y@mail.example", "bounce+x@mail.example")


@given(st.binary(max_size=300))
def test_anything_else_is_no_bounce(raw: bytes) -> None:
    with pytest.raises(NotABounceError):
        read(raw)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", ""])
def test_good_news_is_no_bounce(action: str) -> None:
    with pytest.raises(NotABounceError):
        read(_notification("bounce+x@mail.example", action, "2.0.0", "smtp; 250 ok"))


async def _hand_in(running: "Notifications", raw: bytes, key: str = BOUNCE_KEY, **query: str) -> httpx.Response:
    async with running.http() as client:
        return await client.post("/bounces", content=raw, params=query, headers={"authorization": f"Bearer {key}"})


async def _return_path(running: "Notifications", buyer: "Buyer") -> str:
    [mail] = await running.mail(buyer.email)
    return str(mail["from"])


async def test_a_mailbox_that_takes_the_code_and_returns_it_is_a_failed_delivery(start: "Start") -> None:
    running = await start(bounce_key=BOUNCE_KEY)
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    await running.stage.events(QrDelivered)
    path = await _return_path(running, buyer)
    assert re.fullmatch(r"bounce\+qr\.[0-9a-f]{32}\.[0-9a-f]{12}@mail\.example", path)
    delayed = await _hand_in(running, _notification(path, "delayed", "4.2.2", "smtp; 452 4.2.2 full"))
    assert delayed.json() == {"outcome": "delayed", "known": True}
    for known in (True, False):
        answer = await _hand_in(running, _notification("somebody@else.example"), recipient=path)
        assert answer.json() == {"outcome": "failed", "known": known}
    [failed] = await running.stage.events(DeliveryFailed)
    assert (failed.event.order_id, failed.event.smtp_code, failed.event.enhanced_code) == (buyer.order_id, 550, "5.1.1")
    [row] = await running.rows("SELECT state, soft_bounces, smtp_code FROM mails WHERE kind = 'qr'")
    assert row == {"state": "bounced", "soft_bounces": 1, "smtp_code": 550}
    await running.stage.publish(buyer.contact("right@example.org", later=1))
    assert await running.kinds("right@example.org", 1) == ["resend"]
    assert len(await running.stage.all_events(DeliveryFailed)) == 1


async def test_a_mailbox_of_the_sandbox_says_250_and_then_returns_the_mail(start: "Start") -> None:
    running = await start(bounce_key=BOUNCE_KEY, agent_keys={"support": "agents-key"})
    buyer = running.buyer()
    running.sandbox.stands.bouncer.point(f"{running.address}/bounces", BOUNCE_KEY)
    await running.sandbox.faults({"target": "mail", "effect": "bounce", "times": 1})
    await running.stage.publish(buyer.contact(), buyer.paid(), buyer.generated())
    [failed] = await running.stage.events(DeliveryFailed)
    assert (failed.event.smtp_code, failed.event.enhanced_code) == (550, "5.1.1")
    assert await running.state("qr", buyer.order_id) == "bounced"
    async with running.http() as client:
        history = await client.get(f"/orders/{buyer.order_id}/mails", headers={"authorization": "Bearer agents-key"})
        [mail] = history.json()["mails"]
        assert (mail["kind"], mail["state"], mail["smtp_code"]) == ("qr", "bounced", 550)
        assert history.json()["known"] is True
        unknown = await client.get(f"/orders/{uuid7()}/mails", headers={"authorization": "Bearer agents-key"})
        assert (unknown.json()["known"], unknown.json()["mails"]) == (False, [])
        assert (await client.get(f"/orders/{buyer.order_id}/mails")).status_code == 401


async def test_a_receipt_that_comes_back_is_no_failed_delivery(start: "Start") -> None:
    running = await start(bounce_key=BOUNCE_KEY)
    buyer = running.buyer()
    await running.stage.publish(buyer.contact(), buyer.receipt("sale_return"))
    path = await _return_path(running, buyer)
    assert (await _hand_in(running, _notification(path))).json()["known"] is True
    assert await running.stage.all_events(DeliveryFailed) == []


async def test_bounces_are_taken_from_the_mail_server_only(start: "Start") -> None:
    running = await start(bounce_key=BOUNCE_KEY)
    forged = "bounce+qr.019d0000000070008000000000000001.aaaaaaaaaaaa@mail.example"
    assert (await _hand_in(running, _notification(forged), key="wrong")).status_code == 401
    assert (await _hand_in(running, _notification(forged))).json()["type"] == "urn:problem:not-our-mail"
    answer = await _hand_in(running, b"Subject: hello\r\n\r\nnobody@example.org")
    assert answer.json()["type"] == "urn:problem:not-a-bounce"
    assert "nobody" not in answer.text
    closed = await start()
    assert (await _hand_in(closed, _notification(forged))).status_code == 404
