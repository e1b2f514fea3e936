"""Secrets that sign webhooks (Standard Webhooks 1.0, symmetric): shown once, sealed to this service at rest."""

import base64
import os
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from standardwebhooks import Webhook

from shared.sealed import Opener, Sealed, Sealer

_PREFIX = "whsec_"
#: Standard Webhooks: 24 to 64 bytes.
_BYTES = 32


class SigningSecrets:
    """Makes, seals and uses secrets. Only this service's private key opens them."""

    def __init__(self, service: str, opener: Opener) -> None:
        self._sealer = Sealer(service, opener.public_key)
        self._opener = opener

    def make(self) -> tuple[str, str]:
        """A new secret as the shop gets it, `whsec_…`, and sealed, as it is stored."""
        secret = _PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()
        return secret, self._sealer.seal(secret.encode()).model_dump_json()

    def headers(self, sealed: Sequence[str], message: UUID | str, at: datetime, body: str) -> dict[str, str]:
        """`webhook-id`, `webhook-timestamp` and `webhook-signature`, with one signature for each secret.

        Raises CannotOpenError where a secret was sealed to another key.
        """
        secrets = [self._opener.open(Sealed.model_validate_json(secret)).decode() for secret in sealed]
        return {
            "webhook-id": str(message),
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(str(message), at, body) for secret in secrets),
        }
