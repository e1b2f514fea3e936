"""Signed links and return paths. Each names what it is for, holds no personal data, and cannot be forged."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

_VERSION = b"\x01"
#: Longer than an eSIM can wait (RC 7) and the longest plan can last.
_VALID = timedelta(days=400)
_DAY = timedelta(days=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MAC = 16
#: Short, because a local part has 64 characters at most (RFC 5321 section 4.5.3.1.1). Bounces also need a key.
_MARK = 6
_DAYS_BYTES = 4
_BODY = len(_VERSION) + _DAYS_BYTES + 16
_RETURN_PREFIX = "bounce+"
#: What an unsubscribe link ends.
Unsubscribed = Literal["news", "reminders"]


def list_headers(unsubscribe: str) -> tuple[str, str]:
    """Headers for unsubscribing with one click (RFC 2369, RFC 8058)."""
    return f"List-Unsubscribe: <{unsubscribe}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"


def web_address(url: str | None) -> str | None:
    """The link of another system, if it is an HTTP address: nothing else may become a link of an email or a page."""
    return url if url is not None and url.startswith(("https://", "http://")) else None


class BadLinkError(ValueError):
    """The link is altered, forged, expired, or made for another address. The message never repeats it."""


class GoneError(BadLinkError):
    """The order's buyer was erased: no address is stored that the link could be checked with."""


class Links:
    """Makes and reads links. `key` has 32 secret bytes; `public_url` has no slash at its end."""

    def __init__(self, key: bytes, public_url: str, mail_domain: str) -> None:
        self._account_key = hmac.digest(key, b"account", hashlib.sha256)
        self._return_key = hmac.digest(key, b"return-path", hashlib.sha256)
        self._unsubscribe_key = hmac.digest(key, b"unsubscribe", hashlib.sha256)
        self._form_key = hmac.digest(key, b"form", hashlib.sha256)
        self._public_url = public_url
        self._mail_domain = mail_domain

    def account(self, order_id: UUID, email: str, now: datetime) -> str:
        """The link to the order's account page, for the reader of this address. A corrected address ends it."""
        return f"{self._public_url}/account/{self.token(order_id, email, now)}"

    def token(self, order_id: UUID, email: str, now: datetime) -> str:
        """The token at the end of an account link."""
        last_day = ((now + _VALID) - _EPOCH) // _DAY
        body = _VERSION + last_day.to_bytes(_DAYS_BYTES) + order_id.bytes
        return urlsafe_b64encode(body + self._mac(body, email)).decode().rstrip("=")

    def order_of(self, token: str, now: datetime) -> UUID:
        """The order that a token names. It is not verified before `check`. Raises BadLinkError."""
        body, _ = _parts(token)
        last_day = int.from_bytes(body[1 : 1 + _DAYS_BYTES])
        if body[:1] != _VERSION or last_day < (now - _EPOCH) // _DAY:
            raise BadLinkError("the link has expired")
        return UUID(bytes=body[1 + _DAYS_BYTES :])

    def check(self, token: str, email: str) -> None:
        """Raises BadLinkError if the token was not made for this address."""
        body, mac = _parts(token)
        if not hmac.compare_digest(mac, self._mac(body, email)):
            raise BadLinkError("the link was not made for this address")

    def form(self, token: str) -> str:
        """The value that the page's own forms carry: it protects them against requests forged by other sites."""
        return hmac.digest(self._form_key, token.encode(), hashlib.sha256).hex()[: 2 * _MAC]

    def unsubscribe(self, buyer_id: UUID, what: Unsubscribed = "news") -> str:
        """The link that ends newsletters or reminders to a buyer. It never expires, even if the address changes."""
        body = _VERSION + buyer_id.bytes
        mac = hmac.digest(self._unsubscribe_key, body, hashlib.sha256)[:_MAC]
        link = f"{self._public_url}/unsubscribe/{urlsafe_b64encode(body + mac).decode().rstrip('=')}"
        return link if what == "news" else f"{link}?what={what}"

    def unsubscriber(self, token: str) -> UUID:
        """The buyer that the token of an unsubscribe link names. Raises BadLinkError."""
        body, mac = _parts(token, len(_VERSION) + 16)
        ours = hmac.digest(self._unsubscribe_key, body, hashlib.sha256)[:_MAC]
        if body[:1] != _VERSION or not hmac.compare_digest(mac, ours):
            raise BadLinkError("not a link of ours")
        return UUID(bytes=body[1:])

    def return_path(self, kind: str, subject_id: UUID) -> str:
        """The envelope sender of an email: a bounce to it names the email."""
        mark = hashlib.blake2b(kind.encode() + subject_id.bytes, digest_size=_MARK, key=self._return_key).hexdigest()
        return f"{_RETURN_PREFIX}{kind}.{subject_id.hex}.{mark}@{self._mail_domain}"

    def returned(self, address: str) -> tuple[str, UUID]:
        """The kind and subject of the email whose return path this address is. Raises BadLinkError."""
        local = address.strip().strip("<>").lower().partition("@")[0]
        kind, _, rest = local.removeprefix(_RETURN_PREFIX).partition(".")
        subject = rest.partition(".")[0]
        try:
            subject_id = UUID(subject)
        except ValueError:
            raise BadLinkError("not a return path of ours") from None
        ours = self.return_path(kind, subject_id).partition("@")[0]
        if not hmac.compare_digest(local.encode(), ours.encode()):
            raise BadLinkError("not a return path of ours")
        return kind, subject_id

    def _mac(self, body: bytes, email: str) -> bytes:
        return hmac.digest(self._account_key, body + email.encode(), hashlib.sha256)[:_MAC]


def _parts(token: str, length: int = _BODY) -> tuple[bytes, bytes]:
    try:
        if not token.isascii():
            raise BadLinkError("not a link of ours")
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (Base64Error, ValueError):
        raise BadLinkError("not a link of ours") from None
    if len(whole) != length + _MAC or urlsafe_b64encode(whole).decode().rstrip("=") != token:
        raise BadLinkError("not a link of ours")
    return whole[:length], whole[length:]
