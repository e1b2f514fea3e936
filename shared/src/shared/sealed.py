"""Sealed values: bytes that only one service can read (X25519 sealed box, libsodium `crypto_box_seal`).

The sender needs the recipient's public key only. What is sealed may be stored, logged or dead-lettered.
"""

import base64
import binascii

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox
from pydantic import BaseModel, ConfigDict


class CannotOpenError(Exception):
    """The box was sealed to another key, or altered on its way."""


class Sealed(BaseModel):
    """A sealed value on the wire: who can open it, and the box (base64)."""

    model_config = ConfigDict(frozen=True)
    recipient: str
    box: str


class Sealer:
    """Seals to one recipient. `public_key` is base64 of 32 bytes."""

    def __init__(self, recipient: str, public_key: str) -> None:
        self._recipient = recipient
        self._box = SealedBox(PublicKey(_key_bytes(public_key)))

    def seal(self, plain: bytes) -> Sealed:
        return Sealed(recipient=self._recipient, box=base64.b64encode(self._box.encrypt(plain)).decode())


class Opener:
    """Opens what was sealed to the holder of `private_key` (base64 of 32 bytes)."""

    def __init__(self, private_key: str) -> None:
        self._key = PrivateKey(_key_bytes(private_key))
        self._box = SealedBox(self._key)

    @property
    def public_key(self) -> str:
        return base64.b64encode(bytes(self._key.public_key)).decode()

    def open(self, sealed: Sealed) -> bytes:
        """The plain bytes. Raises CannotOpenError."""
        try:
            return self._box.decrypt(base64.b64decode(sealed.box, validate=True))
        except (CryptoError, binascii.Error, ValueError) as error:
            raise CannotOpenError(f"the value is sealed to {sealed.recipient!r} or was altered") from error


def new_private_key() -> str:
    """A fresh private key, base64."""
    return base64.b64encode(bytes(PrivateKey.generate())).decode()


def _key_bytes(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("a seal key is base64 of 32 bytes") from error
    if len(key) != PrivateKey.SIZE:
        raise ValueError(f"a seal key is base64 of 32 bytes; this one has {len(key)}")
    return key
