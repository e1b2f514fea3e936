"""Signed links and return paths: who has one was given it; it names what it is for and holds no personal data."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from datetime import UTC, datetime, timedelta
from uuid import UUID

_VERSION = b"\x01"
#: Longer than an eSIM can wait (RC 7) and the longest plan can last.
_VALID = timedelta(days=400)
_DAY = timedelta(days=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_MAC = 16
#: The local part has 64 characters at most (RFC 5321 section 4.5.3.1.1), and bounces are taken with a key only.
_MARK = 6
_DAYS_BYTES = 4
_BODY = len(_VERSION) + _DAYS_BYTES + 16
_RETURN_PREFIX = "bounce+"


class BadLinkError(ValueError):
    """The link is altered, not ours, over, or made for another address. The message never repeats it."""


class GoneError(BadLinkError):
    """The order's buyer was forgotten: there is no address left that the link could be checked with."""


class Links:
    """Makes and reads links. `key`: 32 secret bytes; `public_url`: without a slash at its end."""

    def __init__(self, key: bytes, public_url: str, mail_domain: str) -> None:
        self._account_key = hmac.digest(key, b"account", hashlib.sha256)
        self._return_key = hmac.digest(key, b"return-path", hashlib.sha256)
        self._unsubscribe_key = hmac.digest(key, b"unsubscribe", hashlib.sha256)
        self._form_key = hmac.digest(key, b"form", hashlib.sha256)
        self._public_url = public_url
        self._mail_domain = mail_domain

    def account(self, order_id: UUID, email: str, now: datetime) -> str:
        """The order's account page, for whoever reads this address: a corrected address ends the link."""
        return f"{self._public_url}/account/{self.token(order_id, email, now)}"

    def token(self, order_id: UUID, email: str, now: datetime) -> str:
        """What an account link ends in."""
        over = ((now + _VALID) - _EPOCH) // _DAY
        body = _VERSION + over.to_bytes(_DAYS_BYTES) + order_id.bytes
        return urlsafe_b64encode(body + self._mac(body, email)).decode().rstrip("=")

    def order_of(self, token: str, now: datetime) -> UUID:
        """The order that a token names; only `check` says whether to believe it. Raises BadLinkError."""
        body, _ = _parts(token)
        over = int.from_bytes(body[1 : 1 + _DAYS_BYTES])
        if body[:1] != _VERSION or over < (now - _EPOCH) // _DAY:
            raise BadLinkError("the link is over")
        return UUID(bytes=body[1 + _DAYS_BYTES :])

    def check(self, token: str, email: str) -> None:
        """Raises BadLinkError where the token was not made for this address."""
        body, mac = _parts(token)
        if not hmac.compare_digest(mac, self._mac(body, email)):
            raise BadLinkError("the link was not made by us for this address")

    def form(self, token: str) -> str:
        """What a page's own forms carry: whoever can only send a browser to us does not have it."""
        return hmac.digest(self._form_key, token.encode(), hashlib.sha256).hex()[: 2 * _MAC]

    def unsubscribe(self, buyer_id: UUID) -> str:
        """Where the buyer gets rid of newsletters; without an end, and whatever becomes of the address."""
        body = _VERSION + buyer_id.bytes
        mac = hmac.digest(self._unsubscribe_key, body, hashlib.sha256)[:_MAC]
        return f"{self._public_url}/unsubscribe/{urlsafe_b64encode(body + mac).decode().rstrip('=')}"

    def unsubscriber(self, token: str) -> UUID:
        """The buyer whose link ends like this. Raises BadLinkError."""
        body, mac = _parts(token, len(_VERSION) + 16)
        ours = hmac.digest(self._unsubscribe_key, body, hashlib.sha256)[:_MAC]
        if body[:1] != _VERSION or not hmac.compare_digest(mac, ours):
            raise BadLinkError("not a link of ours")
        return UUID(bytes=body[1:])

    def return_path(self, kind: str, subject_id: UUID) -> str:
        """The envelope sender of a mail: what comes back to it tells which mail it was."""
        mark = hashlib.blake2b(kind.encode() + subject_id.bytes, digest_size=_MARK, key=self._return_key).hexdigest()
        return f"{_RETURN_PREFIX}{kind}.{subject_id.hex}.{mark}@{self._mail_domain}"

    def returned(self, address: str) -> tuple[str, UUID]:
        """The kind and subject of the mail that an address was the return path of. Raises BadLinkError."""
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
