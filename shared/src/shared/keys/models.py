"""What an API key of a shop is: its text, its scopes, and when it is valid.

A key is `esim_live_` or `esim_test_` and 43 characters of base62, which stand for 32 random bytes. Its SHA-256 is
stored, and not the key: with 256 random bits no salt and no slow hash is needed.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

#: What a key may do. `orders:write`: place orders, and change what belongs to them. `orders:read`: read orders and what
#: belongs to them. `refunds`: everything at the refunds service. Reading the catalogue needs no scope.
Scope = Literal["orders:write", "orders:read", "refunds"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: Whether a key is in force, at one moment.
KeyState = Literal["valid", "expired", "revoked"]

_LIVE, _TEST = "esim_live_", "esim_test_"
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#: 62 to the power of 43 is the first one above 2 to the power of 256.
_LENGTH = 43
_KEY = re.compile(f"esim_(?:live|test)_[0-9A-Za-z]{{{_LENGTH}}}")
#: Characters of the random part that are stored and shown: enough to tell a shop's keys apart (24 of 256 bits).
_SHOWN = 4


def new_key(*, test: bool) -> str:
    """A new key. Only its hash is stored, so this text is shown once."""
    number = int.from_bytes(secrets.token_bytes(32))
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return (_TEST if test else _LIVE) + "".join(digits)


def has_key_form(token: str) -> bool:
    """Whether a text can be one of our keys: no other text is looked up."""
    return _KEY.fullmatch(token) is not None


def is_test_key(token: str) -> bool:
    """Whether a key is for tests; also one from the setting STOREFRONT_KEYS."""
    return token.startswith(_TEST)


def hash_of(token: str) -> bytes:
    """SHA-256 of a key, as it is stored."""
    return hashlib.sha256(token.encode()).digest()


def prefix_of(key: str) -> str:
    """The beginning of a key, which is stored and shown so that people recognise it."""
    return key[: len(_LIVE) + _SHOWN]


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A key as a service stores it. Times in UTC; None: never."""

    key_id: UUID
    storefront: str
    scopes: frozenset[str]
    expires_at: datetime | None
    revoked_at: datetime | None

    def state(self, now: datetime) -> KeyState:
        """Whether it is in force. A revoked key stays revoked, expired or not."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


@dataclass(frozen=True, slots=True)
class ShopCaller:
    """The shop that calls, and what its key may do. `key_id`: None for a key of the setting STOREFRONT_KEYS."""

    storefront: str
    scopes: frozenset[str]
    key_id: UUID | None
    test: bool
