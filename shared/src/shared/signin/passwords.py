"""Hashes passwords with Argon2id in a small thread pool, outside any transaction: a hash takes a core and 64 MiB."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_HASHER = PasswordHasher()
_POOL = ThreadPoolExecutor(2, "passwords")


async def matches(password_hash: str | None, password: str) -> bool:
    """Whether the password matches the hash; never where the hash is None (there is no such account)."""
    loop = asyncio.get_running_loop()
    # Made for the first attempt, whether or not there is such an account: the response tells nothing.
    nobody = await loop.run_in_executor(_POOL, _nobody)
    correct = await loop.run_in_executor(_POOL, _verify, password_hash or nobody, password)
    return correct and password_hash is not None


@cache
def _nobody() -> str:
    """Verified against when there is no such account, so that the response takes as long."""
    return _HASHER.hash("nobody has this password")


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def hashed(password: str) -> str:
    """The hash to store for a password."""
    return _HASHER.hash(password)
