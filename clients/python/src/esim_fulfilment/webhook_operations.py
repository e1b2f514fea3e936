"""The operations about webhook endpoints, each described once."""

from datetime import datetime

from pydantic import BaseModel, JsonValue, TypeAdapter

from esim_fulfilment.calls import Answer, Call, Operation, Page, PagedOperation, given, path
from esim_fulfilment.reading import adapted, model, nothing
from esim_fulfilment.webhook_models import (
    CreatedWebhookEndpoint,
    Redelivery,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookSecret,
    WebhookTest,
)

_ENDPOINTS = "webhook-endpoints"
_LIST = TypeAdapter(list[WebhookEndpoint])


class _Deliveries(BaseModel):
    deliveries: tuple[WebhookDelivery, ...]
    next: str | None = None


def create_webhook_endpoint(
    url: str, *, types: list[str] | None = None, description: str = ""
) -> Call[CreatedWebhookEndpoint]:
    """Create an endpoint; without `types` it receives all events. Store the `secret` of the answer: it is shown once.

    After an error without an answer look into `webhook_endpoints()` first: the endpoint may exist.
    """
    body: dict[str, JsonValue] = {"url": url, "description": description}
    if types is not None:
        body["types"] = [*types]
    return Call("ordering", "POST", path(_ENDPOINTS), model(CreatedWebhookEndpoint), json=body, repeatable=False)


def webhook_endpoints() -> Call[list[WebhookEndpoint]]:
    """All endpoints of the shop, the oldest first, without secrets."""
    return Call("ordering", "GET", path(_ENDPOINTS), adapted(_LIST))


def change_webhook_endpoint(
    endpoint_id: str,
    *,
    url: str | None = None,
    types: list[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> Call[WebhookEndpoint]:
    """Change what is given, enable or disable. What happened while it was disabled is sent on request only."""
    values: dict[str, JsonValue] = {
        "url": url,
        "types": None if types is None else [*types],
        "description": description,
        "enabled": enabled,
    }
    body = {name: value for name, value in values.items() if value is not None}
    return Call("ordering", "PATCH", path(_ENDPOINTS, endpoint_id), model(WebhookEndpoint), json=body)


def delete_webhook_endpoint(endpoint_id: str) -> Call[None]:
    """Delete an endpoint with its secrets and its delivery log. Raises NotFoundError."""
    return Call("ordering", "DELETE", path(_ENDPOINTS, endpoint_id), nothing)


def rotate_webhook_secret(endpoint_id: str, *, older_secrets_valid_hours: int = 24) -> Call[WebhookSecret]:
    """Add a secret, which is shown once. Until the older ones expire, webhooks carry signatures by all of them."""
    body = {"older_secrets_valid_hours": older_secrets_valid_hours}
    where = path(_ENDPOINTS, endpoint_id, "secrets")
    return Call("ordering", "POST", where, model(WebhookSecret), json=body, repeatable=False)


def send_test_webhook(endpoint_id: str, *, event_type: str = "order.paid") -> Call[WebhookTest]:
    """Have the example of a type sent now, once; the answer says what came of it."""
    where = path(_ENDPOINTS, endpoint_id, "test")
    return Call("ordering", "POST", where, model(WebhookTest), json={"type": event_type})


def webhook_deliveries(
    endpoint_id: str, *, state: str | None = None, limit: int | None = None
) -> Call[Page[WebhookDelivery]]:
    """The delivery log of an endpoint, the newest event first; further pages are asked for as they are needed."""
    params = given(state=state, limit=limit)
    return Call("ordering", "GET", path(_ENDPOINTS, endpoint_id, "deliveries"), _page, params=params)


def redeliver_webhooks(
    *,
    update_id: str | None = None,
    endpoint_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    types: list[str] | None = None,
    undelivered_only: bool = False,
    continue_after: str | None = None,
) -> Call[Redelivery]:
    """Have events of the last 30 days sent again, under the same ids: one, those of a time, or those of an endpoint."""
    values: dict[str, JsonValue] = {
        "update_id": update_id,
        "endpoint_id": endpoint_id,
        "since": None if since is None else since.isoformat(),
        "until": None if until is None else until.isoformat(),
        "types": None if types is None else [*types],
        "continue_after": continue_after,
    }
    body = {name: value for name, value in values.items() if value is not None} | {"undelivered_only": undelivered_only}
    return Call("ordering", "POST", path("webhook-redeliveries"), model(Redelivery), json=body)


class WebhookOperations:
    """The operations as methods."""

    create_webhook_endpoint = Operation(create_webhook_endpoint)
    webhook_endpoints = Operation(webhook_endpoints)
    change_webhook_endpoint = Operation(change_webhook_endpoint)
    delete_webhook_endpoint = Operation(delete_webhook_endpoint)
    rotate_webhook_secret = Operation(rotate_webhook_secret)
    send_test_webhook = Operation(send_test_webhook)
    webhook_deliveries = PagedOperation(webhook_deliveries)
    redeliver_webhooks = Operation(redeliver_webhooks)


def _page(answer: Answer) -> Page[WebhookDelivery]:
    page = _Deliveries.model_validate_json(answer.body)
    return Page(page.deliveries, page.next, parameter="before")
