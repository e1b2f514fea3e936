"""Verifies and parses an operator's usage push: `X-Signature: sha256=<hex>` over the raw body, with its own time."""

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
    """The envelope of a push; the report itself is one of the operator's feed (messages.py).

    ICCID and time are required: they show which profile it is about, and that it is no replay.
    """

    iccid: str
    timestamp: datetime
    id: str | None = None


def read_push(body: bytes, unparsed: Unparsed) -> Push | None:
    """Parse the envelope; None where ICCID or time cannot be read."""
    fields = read_object(body, NAME, unparsed)
    if fields is None:
        return None
    about, at = fields.get("iccid", iccid), fields.get("timestamp", moment)
    return Push(about, at, fields.get("id", text(200))) if about and at else None


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether the holder of the secret signed this body; compared in constant time."""
    if not signature or not signature.startswith(_SCHEME) or not signature.isascii():
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.removeprefix(_SCHEME).lower())


def in_window(sent: datetime, now: datetime, window: timedelta) -> bool:
    """Whether a push was sent now, so that it is no replay."""
    return abs(now - sent) <= window
