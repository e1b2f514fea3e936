"""Keyed hashes: what was typed can be found or told apart by them, and cannot be read back."""

import hashlib
import hmac

from pydantic import SecretStr


class EmailHashes:
    """HMAC-SHA-256 under `SEARCH_KEY`, of the address as people mean it: trimmed, in lower case."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations e-mail search", "sha256")

    def of(self, address: str) -> bytes:
        return hmac.new(self._key, address.strip().casefold().encode(), hashlib.sha256).digest()


class NameFingerprints:
    """The same of names that nobody has, for the audit trail: some are passwords, typed into the wrong field."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations sign-in names", "sha256")

    def of(self, name: str) -> str:
        """`#` and twelve hex digits."""
        return f"#{hmac.digest(self._key, name.encode(), 'sha256').hex()[:12]}"
