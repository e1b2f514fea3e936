"""Values of API keys: what is requested, and what is shown of a key (never the key itself, except once)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.base import Slug
from shared.keys.models import KeyState, Scope
from shared.values.moment import Moment
from shared.values.text import Line

#: Unrevoked keys of one shop. Far more than servers and people that need one; a list that a person still reads.
MOST_KEYS = 50
KeyName = Annotated[str, Line(60)]


class NewKey(BaseModel):
    """The key to create. `test`: for a sandbox deployment, recognisable by `esim_test_`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    storefront: Slug
    name: KeyName = Field(description="tells the shop's keys apart: where the key is used")
    scopes: frozenset[Scope] = Field(min_length=1)
    test: bool = False
    expires_at: Moment | None = Field(None, description="refused from then on; without it, never")


@dataclass(frozen=True, slots=True)
class StoredApiKey:
    """A key as ordering stores it. `prefix`: its beginning. Times in UTC; None: never."""

    key_id: UUID
    storefront: str
    name: str
    prefix: str
    hash: bytes
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None


class ApiKeyView(BaseModel):
    """A key of a shop, without the key itself."""

    key_id: UUID
    storefront: str
    name: str
    prefix: str
    scopes: list[str]
    test: bool
    state: KeyState
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: Annotated[
        datetime | None,
        Field(
            description="the last use at ordering alone, to the minute: the other services accept the key too, and "
            "their use is not counted. null: not used at ordering yet; the key may be in use all the same"
        ),
    ]

    @classmethod
    def of(cls, key: StoredApiKey, *, state: KeyState, test: bool) -> Self:
        return cls(
            key_id=key.key_id,
            storefront=key.storefront,
            name=key.name,
            prefix=key.prefix,
            scopes=sorted(key.scopes),
            test=test,
            state=state,
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
            revoked_by=key.revoked_by,
            last_used_at=key.last_used_at,
        )


class CreatedKeyView(BaseModel):
    """A new key. `key` is shown in this answer only: its hash is stored."""

    key: str
    api_key: ApiKeyView


class ApiKeysView(BaseModel):
    """Keys, the newest first. `configured`: the shops that also have a key in the setting STOREFRONT_KEYS."""

    items: list[ApiKeyView]
    configured: list[str]
