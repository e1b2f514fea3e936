"""SQL about the API keys of shops."""

from typing import Any
from uuid import UUID

from ordering.keys.models import StoredApiKey
from shared.database import Tx

_COLUMNS = """key_id, storefront, name, prefix, hash, scopes, created_at, created_by, expires_at, revoked_at,
  revoked_by, last_used_at"""
#: Conflicts with an unrevoked key of the same name.
_INSERT = """
INSERT INTO api_keys (key_id, storefront, name, prefix, hash, scopes, created_at, created_by, expires_at)
VALUES (:key_id, :storefront, :name, :prefix, :hash, CAST(:scopes AS text[]), :created_at, :created_by, :expires_at)
ON CONFLICT (storefront, name) WHERE revoked_at IS NULL DO NOTHING
"""
_LOCK = f"SELECT {_COLUMNS} FROM api_keys WHERE key_id = :key_id FOR UPDATE"
_REVOKE = f"UPDATE api_keys SET revoked_at = :now, revoked_by = :who WHERE key_id = :key_id RETURNING {_COLUMNS}"
_LIST = f"""
SELECT {_COLUMNS} FROM api_keys WHERE CAST(:storefront AS text) IS NULL OR storefront = :storefront
ORDER BY key_id DESC
"""
_COUNT = "SELECT count(*) FROM api_keys WHERE storefront = :storefront AND revoked_at IS NULL"


async def insert(tx: Tx, key: StoredApiKey) -> bool:
    """Insert a new key; False where the shop has an unrevoked key of that name."""
    result = await tx.execute(
        _INSERT,
        key_id=key.key_id,
        storefront=key.storefront,
        name=key.name,
        prefix=key.prefix,
        hash=key.hash,
        scopes=list(key.scopes),
        created_at=key.created_at,
        created_by=key.created_by,
        expires_at=key.expires_at,
    )
    return result.rowcount == 1


async def count_unrevoked(tx: Tx, storefront: str) -> int:
    """How many keys of the shop are not revoked."""
    return int((await tx.execute(_COUNT, storefront=storefront)).scalar())


async def lock(tx: Tx, key_id: UUID) -> StoredApiKey | None:
    """The key, locked until this transaction ends; None where there is none."""
    row = (await tx.execute(_LOCK, key_id=key_id)).one_or_none()
    return None if row is None else _key(row)


async def revoke(tx: Tx, key_id: UUID, who: str) -> StoredApiKey:
    """Revoke a key that is there. Raises LookupError."""
    return _key((await tx.execute(_REVOKE, key_id=key_id, now=tx.now, who=who)).one())


async def find_all(tx: Tx, storefront: str | None) -> list[StoredApiKey]:
    """The keys of a shop (None: of all), the newest first."""
    return [_key(row) for row in await tx.execute(_LIST, storefront=storefront)]


def _key(row: Any) -> StoredApiKey:
    return StoredApiKey(**row._asdict() | {"hash": bytes(row.hash), "scopes": tuple(row.scopes)})
