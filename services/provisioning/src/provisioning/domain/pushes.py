"""An operator's signed usage push: `X-Signature: sha256=<hex>` over the raw body, which carries its own time."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

SOURCE = "operator-push"
_SCHEME = "sha256="


class Push(BaseModel):
    """The envelope; what it reports has the shape of the operator's feed (domain/feed.py)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iccid: Annotated[str, StringConstraints(pattern=r"^[0-9]{18,20}$|^[0-9]{19}[Ff]$")]
    timestamp: AwareDatetime
    id: str | None = Field(None, max_length=200)


def is_signed(body: bytes, signature: str | None, secret: str) -> bool:
    """Whether the holder of the secret signed this very body; compared in constant time."""
    if not signature or not signature.startswith(_SCHEME) or not signature.isascii():
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature.removeprefix(_SCHEME).lower())


def in_window(sent: datetime, now: datetime, window: timedelta) -> bool:
    """Whether a push was sent so lately that it cannot be an old one that somebody kept."""
    return abs(now - sent) <= window
