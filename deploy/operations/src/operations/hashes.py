"""Keyed hashes: they find or distinguish an entered text, and do not reveal it."""

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
        """The hash of a stored address, in its normal form."""
        return hmac.new(self._key, mailbox_key(address.strip()).encode(), hashlib.sha256).digest()

    def of_typed(self, address: str) -> bytes:
        """The hash of an entered address. One that today's rules refuse may be stored nevertheless."""
        try:
            return self.of(Email.parse(address).key)
        except InvalidValueError:
            return self.of(address)


class NameFingerprints:
    """Fingerprints of names without an account, for the audit log: some are passwords, entered into the wrong field."""

    def __init__(self, key: SecretStr) -> None:
        self._key = hmac.digest(key.get_secret_value().encode(), b"operations sign-in names", "sha256")

    def of(self, name: str) -> str:
        """`#` and twelve hex digits."""
        return f"#{hmac.digest(self._key, name.encode(), 'sha256').hex()[:12]}"
