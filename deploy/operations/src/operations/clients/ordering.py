"""Ordering's answers about API keys and webhooks, as far as the pages show them; unknown fields are ignored."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel


class ApiKey(BaseModel):
    """A key of a shop, without the key itself. `last_used_at`: at ordering; None: not yet."""

    key_id: UUID
    storefront: str
    name: str
    prefix: str
    scopes: list[str]
    state: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None


class ApiKeys(BaseModel):
    """Keys, the newest first. `configured`: shops with a key in the setting STOREFRONT_KEYS."""

    items: list[ApiKey]
    configured: list[str]


class CreatedKey(BaseModel):
    """A new key; no other answer contains `key`."""

    key: str
    api_key: ApiKey


class Endpoint(BaseModel):
    """Where a shop receives webhooks. `types` is None for all; `failures` are consecutive, since `failing_since`."""

    endpoint_id: UUID
    storefront: str
    url: str
    description: str
    types: list[str] | None
    created_at: datetime
    enabled: bool
    disabled_at: datetime | None
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    succeeded_at: datetime | None


class Endpoints(BaseModel):
    """Endpoints, the oldest first."""

    items: list[Endpoint]


class Delivery(BaseModel):
    """An update's delivery to an endpoint, with its last attempt; `last_answer` is the answer's beginning."""

    update_id: UUID
    order_id: UUID | None
    type: str
    occurred_at: datetime
    state: str
    attempts: int
    due_at: datetime
    last_attempt_at: datetime | None
    last_status: int | None
    last_latency_ms: int | None
    last_answer: str | None
    last_error: str | None


class Deliveries(BaseModel):
    """Deliveries, the newest update first. `next` is the `before` of the next page."""

    deliveries: list[Delivery]
    next: UUID | None


class Redelivered(BaseModel):
    """How many deliveries are due now, or would be. `more`: repeat the request with `continue_after`."""

    deliveries: int
    more: bool
    continue_after: UUID | None
