"""Keyed hashes of contacts."""

import hashlib
import hmac

from shared.values.email_address import Email, mailbox_key
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError


class Fingerprints:
    """Keyed hashes of e-mail addresses and phone numbers. They can be compared, but not read back.

    One hash of each is kept for a contact on file. What somebody writes is compared in every reading it allows.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"refunds contacts", "sha256")

    def email(self, address: str) -> bytes:
        """The hash of an address on file, in its normal form. Two mailboxes never share one: `ß` is not `ss`."""
        return self._hash(b"email", mailbox_key(address.strip()))

    def phone(self, number: str) -> bytes:
        """The hash of a number on file, in E.164."""
        return self._hash(b"phone", "".join(filter(str.isdecimal, number)))

    def is_email(self, on_file: bytes, text: str) -> bool:
        """Whether the text is a spelling of the address on file."""
        try:
            address = Email.parse(text).key
        except InvalidValueError:
            address = text  # not valid by the rules of this release; an earlier release may have accepted it
        return hmac.compare_digest(on_file, self.email(address))

    def is_phone(self, on_file: bytes, text: str) -> bool:
        """Whether the text is the number on file, in the international or any country's national form."""
        numbers = (text, *(phone.e164 for phone in Phone.claimed(text)))
        return any(hmac.compare_digest(on_file, self.phone(number)) for number in numbers)

    def _hash(self, kind: bytes, value: str) -> bytes:
        return hmac.new(self._key, kind + b"\x1f" + value.encode(), hashlib.sha256).digest()
