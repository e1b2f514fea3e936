"""Keyed hashes of e-mail addresses: orders can be found by an address, and no address can be read back."""

import hashlib
import hmac

from pydantic import SecretStr


class EmailHashes:
    """HMAC-SHA-256 under `SEARCH_KEY`, of the address as people mean it: trimmed, in lower case."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations e-mail search", "sha256")

    def of(self, address: str) -> bytes:
        return hmac.new(self._key, address.strip().casefold().encode(), hashlib.sha256).digest()
