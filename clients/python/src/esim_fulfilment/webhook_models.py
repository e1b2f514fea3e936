"""What is answered about webhook endpoints and deliveries."""

from datetime import datetime

from pydantic import Field

from esim_fulfilment.models import Answered


class WebhookEndpoint(Answered):
    """Where the shop receives webhooks. `types`: None for all. `disabled_reason`: `gone`, `failing` or `shop`."""

    endpoint_id: str
    url: str
    description: str = ""
    types: tuple[str, ...] | None = None
    enabled: bool
    disabled_reason: str | None = None
    failures: int = 0
    failing_since: datetime | None = None


class CreatedWebhookEndpoint(WebhookEndpoint):
    """A new endpoint. Its `secret` (`whsec_…`) is not shown again."""

    secret: str = Field(repr=False)


class WebhookSecret(Answered):
    """A new secret, which is not shown again, and until when the older ones sign too."""

    secret: str = Field(repr=False)
    older_secrets_expire_at: datetime | None = None


class WebhookTest(Answered):
    """What came of an example that was sent once."""

    delivered: bool
    status: int | None = None
    latency_ms: int | None = None
    answer: str = ""
    error: str | None = None


class WebhookDelivery(Answered):
    """One event's delivery to an endpoint. `state`: `waiting`, `delivered`, `failed` or `stopped`."""

    update_id: str
    order_id: str | None = None
    type: str
    state: str
    attempts: int
    last_status: int | None = None
    last_latency_ms: int | None = None
    last_answer: str | None = None
    last_error: str | None = None


class Redelivery(Answered):
    """How many deliveries are due now. With `continue_after` more are meant: repeat the request with it."""

    deliveries: int
    continue_after: str | None = None
