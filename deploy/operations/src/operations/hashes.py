"""Keyed hashes: what was typed can be found or told apart by them, and cannot be read back."""

import hashlib
import hmac

from pydantic import SecretStr

from shared.values.email_address import Email, mailbox_key
from shared.values.refusal import InvalidValueError


class EmailHashes:
    """HMAC-SHA-256 under `SEARCH_KEY`, of the key by which a mailbox is recognised, however its address is written."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations e-mail search", "sha256")

    def of(self, address: str) -> bytes:
        """Of an address on record, in its normal form."""
        return hmac.new(self._key, mailbox_key(address.strip()).encode(), hashlib.sha256).digest()

    def of_typed(self, address: str) -> bytes:
        """Of an address as somebody types it; one that today's rules refuse may be on record all the same."""
        try:
            return self.of(Email.parse(address).key)
        except InvalidValueError:
            return self.of(address)


class NameFingerprints:
    """The same of names that nobody has, for the audit trail: some are passwords, typed into the wrong field."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations sign-in names", "sha256")

    def of(self, name: str) -> str:
        """`#` and twelve hex digits."""
        return f"#{hmac.digest(self._key, name.encode(), 'sha256').hex()[:12]}"
