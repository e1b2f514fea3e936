"""Access tokens of the bank: signed and self-contained, so that they outlive a restart (docs/wire/epay.md)."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass

LIFETIME_SECONDS = 7200
LONG_SCOPE = "webapi usermanagement email_send verification statement statistics payment"
SCOPES = frozenset({"payment", LONG_SCOPE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token was minted for; the invoice fields are empty in a token for status and operations."""

    scope: str
    terminal: str
    expires: float
    invoice_id: str = ""
    amount: int = 0
    currency: str = ""
    secret_hash: str = ""
    post_link: str = ""
    failure_post_link: str = ""


class TokenMint:
    """Mints and reads tokens with one key."""

    def __init__(self, key: str) -> None:
        self._key = hashlib.sha256(b"sandbox token key" + key.encode()).digest()

    def mint(self, grant: Grant) -> str:
        """The token of a grant."""
        payload = base64.urlsafe_b64encode(json.dumps(asdict(grant)).encode()).decode().rstrip("=")
        return f"{payload}.{self._sign(payload)}"

    def read(self, token: str) -> Grant | None:
        """The grant of a token; None when it is not ours, altered or expired."""
        payload, _, signature = token.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "replace"), self._sign(payload).encode()):
            return None
        grant = Grant(**json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))))
        return grant if grant.expires > time.time() else None

    def _sign(self, payload: str) -> str:
        return hmac.new(self._key, payload.encode("utf-8", "replace"), hashlib.sha256).hexdigest()[:32]
