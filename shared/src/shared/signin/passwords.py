"""Argon2id, in a small pool of threads: hashing takes a core and 64 MiB for a moment, and never a transaction."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
_POOL = ThreadPoolExecutor(2, "passwords")
#: Verified against where there is no such account, so that the answer takes as long.
_NOBODY = _HASHER.hash("nobody has this password")


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password is the one that was hashed; None: there is no such account, so never."""
    loop = asyncio.get_running_loop()
    right = await loop.run_in_executor(_POOL, _verify, password_hash or _NOBODY, password)
    return right and password_hash is not None


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _HASHER.hash(password)
