"""Identifiers: UUIDv7, so that ids sort by creation time and indexes stay local."""

import hashlib
import os
import time
from datetime import datetime
from uuid import UUID

_RANDOM_BITS = 80
_VERSION_7_VARIANT_2 = (0x7 << 76) | (0x2 << 62)
_RANDOM_MASK = ((1 << 12) - 1) << 64 | ((1 << 62) - 1)


def uuid7() -> UUID:
    """A new UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits."""
    random = int.from_bytes(os.urandom(10), "big") & _RANDOM_MASK
    return UUID(int=(time.time_ns() // 1_000_000 << _RANDOM_BITS) | _VERSION_7_VARIANT_2 | random)


_greatest = 0


def uuid7_increasing() -> UUID:
    """A new UUIDv7 that is greater than every earlier one of this process, also within one millisecond."""
    global _greatest  # noqa: PLW0603 - RFC 9562 section 6.2 asks for a counter in the process
    _greatest = max(uuid7().int, _greatest + 1)
    return UUID(int=_greatest)


def uuid7_floor(moment: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond: a bound for "created at or after"."""
    return UUID(int=(int(moment.timestamp() * 1000) << _RANDOM_BITS) | _VERSION_7_VARIANT_2)


def uuid_for(*parts: str) -> UUID:
    """The same UUID for the same parts, for facts that arrive without an id of their own (RFC 9562 UUIDv8)."""
    digest = bytearray(hashlib.sha256("\x1f".join(parts).encode()).digest()[:16])
    digest[6] = (digest[6] & 0x0F) | 0x80
    digest[8] = (digest[8] & 0x3F) | 0x80
    return UUID(bytes=bytes(digest))
