"""SQL of local accounts (used without an OpenID provider), and of a provider's names that are disabled here."""

import hashlib
from dataclasses import dataclass
from typing import Literal

from shared.database import Tx

_FIND = "SELECT password_hash FROM accounts WHERE name = :name AND disabled_at IS NULL"
_EXISTS = "SELECT 1 FROM accounts WHERE name = :name"
_CONFIRM = """
SELECT role FROM accounts WHERE name = :name AND disabled_at IS NULL AND password_hash = :hash FOR SHARE
"""
_DISABLED = "SELECT 1 FROM accounts WHERE name = :name AND disabled_at IS NOT NULL"


@dataclass(slots=True, frozen=True)
class Verified:
    """A person who may sign in now. `credential` ties the session to the present password; None for OpenID."""

    name: str
    role: str
    means: Literal["password", "openid"]
    credential: bytes | None = None


async def password_hash_of(tx: Tx, name: str) -> str | None:
    """The stored password hash; None where there is no such account, or it is disabled."""
    row = (await tx.execute(_FIND, name=name)).one_or_none()
    return None if row is None else str(row.password_hash)


async def confirm(tx: Tx, name: str, password_hash: str) -> Verified | None:
    """The account, if its password is still this one; locked until the transaction ends."""
    row = (await tx.execute(_CONFIRM, name=name, hash=password_hash)).one_or_none()
    return (
        None if row is None else Verified(name, row.role, "password", hashlib.sha256(password_hash.encode()).digest())
    )


async def exists(tx: Tx, name: str) -> bool:
    """Whether there is an account of this name, disabled or not."""
    return (await tx.execute(_EXISTS, name=name)).first() is not None


async def disabled(tx: Tx, name: str) -> bool:
    """Whether this name is disabled here, whatever the OpenID provider says."""
    return (await tx.execute(_DISABLED, name=name)).first() is not None
