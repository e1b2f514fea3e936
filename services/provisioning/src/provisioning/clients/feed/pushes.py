"""An operator's signed usage push: `X-Signature: sha256=<hex>` over the raw body, which carries its own time."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from provisioning.clients.fields import Unparsed, iccid, moment, read_object, text

SOURCE = "operator-push"
NAME = "push"
_SCHEME = "sha256="


@dataclass(frozen=True, slots=True)
class Push:
    """The envelope; what it reports has the shape of the operator's feed (domain/feed.py).

    ICCID and time decide: what it is about, and that it is of now and no old one that somebody kept.
    """

    iccid: str
    timestamp: datetime
    id: str | None = None


def read_push(body: bytes, unparsed: Unparsed) -> Push | None:
    """The envelope; None where ICCID or time cannot be read."""
    fields = read_object(body, NAME, unparsed)
    if fields is None:
        return None
    about, at = fields.get("iccid", iccid), fields.get("timestamp", moment)
    return Push(about, at, fields.get("id", text(200))) if about and at else None


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether the holder of the secret signed this very body; compared in constant time."""
    if not signature or not signature.startswith(_SCHEME) or not signature.isascii():
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.removeprefix(_SCHEME).lower())


def in_window(sent: datetime, now: datetime, window: timedelta) -> bool:
    """Whether a push was sent so lately that it cannot be an old one that somebody kept."""
    return abs(now - sent) <= window
