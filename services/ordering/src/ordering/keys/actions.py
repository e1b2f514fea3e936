"""Creates and revokes API keys: the key's row, its event, and a line in the log of operations, in one transaction."""

from collections.abc import Collection
from http import HTTPStatus
from uuid import UUID

from ordering.keys import store
from ordering.keys.models import MOST_KEYS, ApiKeyView, NewKey, StoredApiKey
from shared.contracts import ApiKeyChanged
from shared.database import Tx
from shared.ids import uuid7
from shared.kernel.problems import LimitReachedError, Problem
from shared.keys.models import StoredKey, hash_of, is_test_key, new_key, prefix_of
from shared.operations.dead_letters import write_log


async def create(tx: Tx, new: NewKey, who: str, *, shops: Collection[str], sandbox: bool) -> tuple[str, StoredApiKey]:
    """Create a key; returns its text, which is not stored, and what is. Raises Problem (409, 422).

    `shops`: the shops of the catalogue.
    """
    if new.storefront not in shops:
        raise _invalid("unknown-storefront", "storefront", "is not in the catalogue")
    if new.test and not sandbox:
        raise _invalid("test-key", "test", "a key for tests would be refused here: this is no sandbox deployment")
    if new.expires_at is not None and new.expires_at <= tx.now:
        raise _invalid("invalid-request", "expires_at", "must be in the future")
    if await store.count_unrevoked(tx, new.storefront) >= MOST_KEYS:
        raise LimitReachedError(
            "api-keys",
            f"This shop has {MOST_KEYS} keys that are not revoked; revoke those that nobody uses.",
            status=HTTPStatus.CONFLICT,
        )
    text = new_key(test=new.test)
    key = StoredApiKey(
        key_id=uuid7(),
        storefront=new.storefront,
        name=new.name,
        prefix=prefix_of(text),
        hash=hash_of(text),
        scopes=tuple(sorted(new.scopes)),
        created_at=tx.now,
        created_by=who,
        expires_at=new.expires_at,
        revoked_at=None,
        revoked_by=None,
        last_used_at=None,
    )
    if not await store.insert(tx, key):
        raise Problem(
            HTTPStatus.CONFLICT,
            "key-name-taken",
            "This shop has a key of this name. Choose another name, or revoke that key first.",
        )
    details = {"storefront": key.storefront, "name": key.name, "prefix": key.prefix, "scopes": list(key.scopes)}
    await write_log(tx, who, "api-key.created", f"{key.name} of {key.storefront}", {str(key.key_id): details})
    tx.publish(_event(key), trace=None)
    return text, key


async def revoke(tx: Tx, key_id: UUID, who: str, reason: str) -> StoredApiKey:
    """Revoke a key, for good; one that is revoked stays as it is. Raises Problem (404)."""
    key = await store.lock(tx, key_id)
    if key is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-key", "There is no such key.")
    if key.revoked_at is not None:
        return key
    key = await store.revoke(tx, key_id, who)
    details = {"storefront": key.storefront, "name": key.name, "prefix": key.prefix}
    await write_log(tx, who, "api-key.revoked", reason, {str(key_id): details})
    tx.publish(_event(key), trace=None)
    return key


def view(tx: Tx, key: StoredApiKey) -> ApiKeyView:
    """What is shown of a key at the transaction's moment."""
    checked = StoredKey(key.key_id, key.storefront, frozenset(key.scopes), key.expires_at, key.revoked_at)
    return ApiKeyView.of(key, state=checked.state(tx.now), test=is_test_key(key.prefix))


def _event(key: StoredApiKey) -> ApiKeyChanged:
    return ApiKeyChanged(
        key_id=key.key_id,
        storefront=key.storefront,
        hash=key.hash.hex(),
        scopes=key.scopes,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


def _invalid(kind: str, field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        kind,
        "The key cannot be created; see errors.",
        errors=[{"field": field, "message": message}],
    )
