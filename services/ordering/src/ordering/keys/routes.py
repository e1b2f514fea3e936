"""HTTP: operations people create, list and revoke the API keys of shops."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from ordering.dependencies import CatalogueNow, KeysInUse
from ordering.keys import store
from ordering.keys.actions import create, revoke, view
from ordering.keys.models import ApiKeysView, ApiKeyView, CreatedKeyView, NewKey
from shared.contracts.base import Slug
from shared.kernel.dependencies import ServiceDatabase
from shared.operations.answers import Reason
from shared.operations.callers import Caller

router = APIRouter(prefix="/api-keys", tags=["keys"])


class Revocation(BaseModel):
    """Why a key is revoked; kept in the log."""

    model_config = ConfigDict(extra="forbid")
    reason: Reason


@router.post("", status_code=HTTPStatus.CREATED, name="create_key")
async def create_key(
    caller: Caller,
    body: NewKey,
    response: Response,
    database: ServiceDatabase,
    catalogue: CatalogueNow,
    keys: KeysInUse,
) -> CreatedKeyView:
    """Create a key of a shop. The answer is the only one that shows the key.

    It works at ordering at once, and at the other services when they have read its event, usually within a second. If
    the answer was lost, revoke the key that the list shows and create another one.
    """
    response.headers["Cache-Control"] = "no-store"
    shops = {shop.slug for shop in catalogue.storefronts}
    async with database.transaction("http") as tx:
        text, key = await create(tx, body, caller, shops=shops, sandbox=keys.sandbox)
        return CreatedKeyView(key=text, api_key=view(tx, key))


@router.get("", name="keys")
async def list_keys(
    _caller: Caller, database: ServiceDatabase, keys: KeysInUse, storefront: Annotated[Slug | None, Query()] = None
) -> ApiKeysView:
    """The keys of a shop, or of all, the newest first; revoked and expired ones too."""
    async with database.reading() as tx:
        items = [view(tx, key) for key in await store.find_all(tx, storefront)]
    return ApiKeysView(items=items, configured=sorted(shop for shop in keys.configured if storefront in {None, shop}))


@router.post("/{key_id}/revocation", name="revoke_key")
async def revoke_key(
    caller: Caller, key_id: UUID, body: Revocation, database: ServiceDatabase, keys: KeysInUse
) -> ApiKeyView:
    """Revoke a key, for good. A repetition changes nothing.

    After this answer this instance refuses every request with the key; other instances of ordering within a second, and
    the other services when they have read the event. A request that was admitted before is carried out.
    """
    async with database.transaction("http") as tx:
        revoked = view(tx, await revoke(tx, key_id, caller, body.reason))
    keys.forget()
    return revoked
