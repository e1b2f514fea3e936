"""SQL about API keys that every service needs which shops call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from shared.contracts.ordering import ApiKeyChanged
from shared.database import Tx
from shared.keys.models import StoredKey

_FIND = "SELECT key_id, storefront, scopes, expires_at, revoked_at FROM api_keys WHERE hash = :hash"
#: A key's states are its creation and its revocation, which come in any order and several times.
_RECORD = """
INSERT INTO api_keys (key_id, storefront, hash, scopes, created_at, expires_at, revoked_at)
VALUES (:key_id, :storefront, :hash, CAST(:scopes AS text[]), :created_at, :expires_at, :revoked_at)
ON CONFLICT (key_id) DO UPDATE SET revoked_at = COALESCE(api_keys.revoked_at, EXCLUDED.revoked_at)
"""
_USED = """
UPDATE api_keys k SET last_used_at = GREATEST(k.last_used_at, used.at)
FROM unnest(CAST(:keys AS uuid[]), CAST(:moments AS timestamptz[])) AS used (key_id, at)
WHERE k.key_id = used.key_id
"""


async def find(tx: Tx, key_hash: bytes) -> StoredKey | None:
    """The key with this hash, revoked and expired ones too; None where there is none."""
    row = (await tx.execute(_FIND, hash=key_hash)).one_or_none()
    if row is None:
        return None
    return StoredKey(row.key_id, row.storefront, frozenset(row.scopes), row.expires_at, row.revoked_at)


async def record(tx: Tx, events: Sequence[ApiKeyChanged]) -> None:
    """Store what ordering published. A key changes a few times in its life, so one statement each.

    In the sequence of the keys, so that two transactions cannot wait for each other.
    """
    for event in sorted(events, key=lambda event: event.key_id):
        await tx.execute(
            _RECORD,
            key_id=event.key_id,
            storefront=event.storefront,
            hash=bytes.fromhex(event.hash),
            scopes=list(event.scopes),
            created_at=event.created_at,
            expires_at=event.expires_at,
            revoked_at=event.revoked_at,
        )


async def record_uses(tx: Tx, used: Mapping[UUID, datetime]) -> None:
    """Store when these keys were last used."""
    keys = sorted(used)
    await tx.execute(_USED, keys=keys, moments=[used[key] for key in keys])
