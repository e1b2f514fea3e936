"""Composes a rendered email as bytes (RFC 5322, MIME). Any name in its headers is encoded safely."""

from base64 import encodebytes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from notifications.emails.models.content import Rendered, Storefront
from shared.values.email_address import Email
from shared.values.text import cleaned

#: Makes the DKIM-Signature header (RFC 6376) of a whole message, CRLF at its end.
Signer = Callable[[bytes], bytes]
_CRLF = b"\r\n"
_LONGEST_NAME = 200
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -'")


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient: the name on one line, and the address with its domain in ASCII by IDNA2008."""

    name: str
    address: str
    #: Only SMTPUTF8 (RFC 6531) can transport the address.
    needs_utf8: bool = False


def recipient(name: str, email: str) -> Recipient:
    """The recipient as headers and SMTP commands need it. Raises InvalidValueError."""
    address = Email.stored(email)
    return Recipient(cleaned(name, _LONGEST_NAME), address.for_smtp, needs_utf8=address.needs_utf8)


def message(
    rendered: Rendered,
    store: Storefront,
    to: Recipient,
    *,
    message_id: str,
    date: datetime,
    signers: Sequence[Signer] = (),
    more: Sequence[str] = (),
) -> bytes:
    """The whole message with CRLF lines and `more` header fields, signed by each signer.

    The same content always gives the same bytes.
    """
    boundary = f"={message_id.partition('@')[0]}="
    outer, inner = f"{boundary}a", f"{boundary}r"
    head = [
        f"From: {_mailbox(store.name, store.address)}",
        f"To: {_mailbox(to.name, to.address)}",
        f"Subject: {_unstructured(rendered.subject)}",
        f"Date: {format_datetime(date)}",
        f"Message-ID: <{message_id}>",
        "MIME-Version: 1.0",
        "Auto-Submitted: auto-generated",
        *more,
        f'Content-Type: multipart/alternative; boundary="{outer}"',
        "",
        "",
    ]
    related = [_part("text/html; charset=utf-8", _lines(rendered.html))]
    for picture in rendered.pictures:
        more = (f"Content-ID: <{picture.cid}>", f'Content-Disposition: inline; filename="{picture.cid}.png"')
        related.append(_part("image/png", picture.png, *more))
    plain = _part("text/plain; charset=utf-8", _lines(rendered.text))
    html = f'Content-Type: multipart/related; type="text/html"; boundary="{inner}"'.encode() + _CRLF * 2
    whole = "\r\n".join(head).encode() + _multipart(outer, [plain, html + _multipart(inner, related)])
    return b"".join(signer(whole) for signer in signers) + whole


def _lines(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def _part(kind: str, content: bytes, *more: str) -> bytes:
    head = [f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", *more, "", ""]
    return "\r\n".join(head).encode() + encodebytes(content).replace(b"\n", _CRLF)


def _multipart(boundary: str, parts: list[bytes]) -> bytes:
    line = b"--" + boundary.encode()
    return b"".join(line + _CRLF + part + _CRLF for part in parts) + line + b"--" + _CRLF


def _mailbox(name: str, address: str) -> str:
    if not name:
        return f"<{address}>"
    if not _PLAIN.issuperset(name):
        return f"{_encoded(name)} <{address}>"
    return f'"{name}" <{address}>'


def _unstructured(text: str) -> str:
    text = " ".join(text.split())
    return text if text.isascii() and "=?" not in text and len(text) < 60 else _encoded(text)  # noqa: PLR2004 - one line


def _encoded(text: str) -> str:
    """Encoded words (RFC 2047), folded."""
    return Header(text, "utf-8", maxlinelen=70).encode(linesep="\r\n")
