"""Signed tickets for privacy requests: whoever confirmed a request gets one, and can read what became of it."""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID

from notifications.emails import BadLinkError
from shared.contracts import Language

_VERSION = 1
_HEAD = 1 + 4 + 16 + 1 + 2
_MAC = 16
_HOUR = timedelta(hours=1)
_EPOCH = datetime.fromtimestamp(0, UTC)
_KINDS = ("export", "erase")


@dataclass(frozen=True, slots=True)
class Ticket:
    """A confirmed request of kind `export` or `erase`. It names no person, and stays valid after an erasure."""

    request_id: UUID
    kind: str
    storefront: str
    language: Language


class Tickets:
    """Makes and reads tickets. `key` has 32 secret bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"privacy request", hashlib.sha256)

    def make(self, ticket: Ticket, valid_until: datetime) -> str:
        """The text at the end of a link; valid until that time, rounded up to the hour."""
        hours = -((_EPOCH - valid_until) // _HOUR)
        head = bytes([_VERSION]) + hours.to_bytes(4) + ticket.request_id.bytes + bytes([_KINDS.index(ticket.kind)])
        body = head + ticket.language.encode() + ticket.storefront.encode()
        return urlsafe_b64encode(body + self._mac(body)).decode().rstrip("=")

    def read(self, text: str, kind: str, now: datetime) -> Ticket:
        """Read a ticket. Raises BadLinkError if it is altered, expired, or of another kind."""
        try:
            whole = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except (Base64Error, ValueError):
            raise BadLinkError("not a valid ticket") from None
        body, mac = whole[:-_MAC], whole[-_MAC:]
        if len(body) <= _HEAD or body[0] != _VERSION or not hmac.compare_digest(mac, self._mac(body)):
            raise BadLinkError("not a valid ticket")
        language = body[_HEAD - 2 : _HEAD].decode()
        if int.from_bytes(body[1:5]) * _HOUR + _EPOCH < now or _KINDS[body[21]] != kind:
            raise BadLinkError("the ticket has expired, or is of another kind")
        if language not in get_args(Language):
            raise BadLinkError("a language without texts")
        return Ticket(UUID(bytes=body[5:21]), kind, body[_HEAD:].decode(), language)  # type: ignore[arg-type] # checked

    def _mac(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:_MAC]
