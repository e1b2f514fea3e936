"""Sealed values: bytes that only one service can read. A sealed value may be stored, logged or become a dead letter.

The sender needs only the recipient's public key: it makes a key pair of its own and drops the private half. A box is
that pair's public key, a random nonce, and libsodium's `crypto_box` (X25519, XSalsa20-Poly1305). `crypto_box_seal` does
the same with a new pair for every value; here one pair serves a thousand values, because making a pair costs more than
all other work of a service for one order.
"""

import base64
import binascii
import os
from functools import lru_cache

from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey
from pydantic import BaseModel, ConfigDict

_USES = 1000


class CannotOpenError(Exception):
    """The box was sealed to another key, or was altered."""


class Sealed(BaseModel):
    """A sealed value on the wire: the service that can open it, and the box (base64)."""

    model_config = ConfigDict(frozen=True)
    recipient: str
    box: str


class Sealer:
    """Seals to one recipient. `public_key` is base64 of 32 bytes."""

    def __init__(self, recipient: str, public_key: str) -> None:
        self._recipient = recipient
        self._public_key = PublicKey(_key_bytes(public_key))
        self._left = 0
        self._renew()

    def seal(self, plain: bytes) -> Sealed:
        if self._left == 0:
            self._renew()
        self._left -= 1
        nonce = os.urandom(Box.NONCE_SIZE)
        sealed = self._sender + self._box.encrypt(plain, nonce)
        return Sealed(recipient=self._recipient, box=base64.b64encode(sealed).decode())

    def _renew(self) -> None:
        sender = PrivateKey.generate()
        self._sender = bytes(sender.public_key)
        self._box = Box(sender, self._public_key)
        self._left = _USES


class Opener:
    """Opens values that were sealed to the holder of `private_key` (base64 of 32 bytes)."""

    def __init__(self, private_key: str) -> None:
        self._key = PrivateKey(_key_bytes(private_key))
        self._box_with = lru_cache(maxsize=256)(lambda sender: Box(self._key, PublicKey(sender)))

    @property
    def public_key(self) -> str:
        return base64.b64encode(bytes(self._key.public_key)).decode()

    def open(self, sealed: Sealed) -> bytes:
        """The plain bytes. Raises CannotOpenError."""
        try:
            box = base64.b64decode(sealed.box, validate=True)
            return self._box_with(box[: PublicKey.SIZE]).decrypt(box[PublicKey.SIZE :])
        except (CryptoError, binascii.Error, ValueError) as error:
            raise CannotOpenError(f"the value is sealed to {sealed.recipient!r} or was altered") from error


def new_private_key() -> str:
    """A new private key, base64."""
    return base64.b64encode(bytes(PrivateKey.generate())).decode()


def _key_bytes(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("a seal key is base64 of 32 bytes") from error
    if len(key) != PrivateKey.SIZE:
        raise ValueError(f"a seal key is base64 of 32 bytes; this one has {len(key)}")
    return key
