"""Keyed hashes of contacts."""

import hashlib
import hmac

from shared.values.email_address import Email, mailbox_key
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError


class Fingerprints:
    """Keyed hashes of e-mail addresses and phone numbers: they can be compared, and not read back.

    Of a contact on record one hash is kept of each; of what somebody tells every reading of it is compared.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"refunds contacts", "sha256")

    def email(self, address: str) -> bytes:
        """Of an address on record, in its normal form. Two mailboxes never share one: `ß` is not `ss`."""
        return self._hash(b"email", mailbox_key(address.strip()))

    def phone(self, number: str) -> bytes:
        """Of a number on record, in E.164."""
        return self._hash(b"phone", "".join(filter(str.isdecimal, number)))

    def is_email(self, known: bytes, text: str) -> bool:
        """Whether this is how somebody writes the address on record."""
        try:
            told = Email.parse(text).key
        except InvalidValueError:
            told = text  # no address of today's rules, perhaps one of an earlier release's
        return hmac.compare_digest(known, self.email(told))

    def is_phone(self, known: bytes, text: str) -> bool:
        """Whether this is how somebody writes the number on record, in international or any country's national form."""
        numbers = (text, *(phone.e164 for phone in Phone.claimed(text)))
        return any(hmac.compare_digest(known, self.phone(number)) for number in numbers)

    def _hash(self, kind: bytes, value: str) -> bytes:
        return hmac.new(self._key, kind + b"\x1f" + value.encode(), hashlib.sha256).digest()
