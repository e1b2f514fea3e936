"""HTTP: shops manage their webhook endpoints, read the delivery log, and have updates delivered again."""

import json
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from ordering.clients.webhook_receiver import Failure
from ordering.dependencies import ReadingShop, Receiver, Signing, WritingShop
from ordering.webhooks import store
from ordering.webhooks.actions import create, delete, disable, redeliver, rotate, send_example
from ordering.webhooks.models import DeliveryState, Endpoint
from ordering.webhooks.rules import refused_url
from ordering.webhooks.views import (
    CreatedEndpoint,
    DeliveryPage,
    EndpointChange,
    EndpointView,
    NewEndpoint,
    NewSecret,
    RedeliveryAnswer,
    RedeliveryRequest,
    Rotation,
    TestRequest,
    TestResult,
)
from shared.database import Tx
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import LimitReachedError, Problem
from shared.values.opaque import Named

router = APIRouter(tags=["webhooks"])
#: Each update costs a row for each endpoint that hears it.
_MOST_ENDPOINTS = 50
#: Each signs every webhook, and the header with the signatures grows.
_MOST_SECRETS = 5
#: Why an endpoint's URL is refused when it is entered. A host that cannot be resolved yet is no reason.
_REFUSED: dict[Failure, str] = {
    "impossible-url": "is not a URL",
    "private-address": "its host has an address that is not on the public internet",
    "insecure-url": "must begin with https://",
}


@router.post("/webhook-endpoints", status_code=HTTPStatus.CREATED)
async def create_endpoint(
    storefront: WritingShop, body: NewEndpoint, database: ServiceDatabase, receiver: Receiver, secrets: Signing
) -> CreatedEndpoint:
    """Create an endpoint. The answer contains its secret (`whsec_…`), which is not shown again."""
    await _check_url(body.url, receiver)
    async with database.transaction("http") as tx:
        if len(await store.list_endpoints(tx, storefront)) >= _MOST_ENDPOINTS:
            detail = f"A shop has at most {_MOST_ENDPOINTS} webhook endpoints; delete one that is not used."
            raise LimitReachedError("webhook-endpoints", detail, status=HTTPStatus.CONFLICT)
        endpoint, secret = await create(tx, secrets, storefront, body.url, body.description, body.types)
    return CreatedEndpoint.with_secret(endpoint, secret)


@router.get("/webhook-endpoints")
async def list_endpoints(storefront: ReadingShop, database: ServiceDatabase) -> list[EndpointView]:
    """The calling shop's endpoints, the oldest first, without secrets."""
    async with database.reading() as tx:
        return [EndpointView.of(endpoint) for endpoint in await store.list_endpoints(tx, storefront)]


@router.get("/webhook-endpoints/{endpoint_id}")
async def show_endpoint(storefront: ReadingShop, endpoint_id: Named, database: ServiceDatabase) -> EndpointView:
    """One endpoint, and how it does."""
    async with database.reading() as tx:
        return EndpointView.of(await _endpoint(tx, storefront, endpoint_id))


@router.patch("/webhook-endpoints/{endpoint_id}")
async def change_endpoint(
    storefront: WritingShop, endpoint_id: Named, body: EndpointChange, database: ServiceDatabase, receiver: Receiver
) -> EndpointView:
    """Change an endpoint; enable or disable it. What happened while it was disabled is sent on request only."""
    if body.url is not None:
        await _check_url(body.url, receiver)
    async with database.transaction("http") as tx:
        endpoint = await _endpoint(tx, storefront, endpoint_id, lock=True)
        types = body.types if "types" in body.model_fields_set else endpoint.types
        await store.change_endpoint(
            tx,
            endpoint.endpoint_id,
            body.url or endpoint.url,
            endpoint.description if body.description is None else body.description,
            None if types is None else json.dumps(types),
        )
        if body.url not in {None, endpoint.url}:
            await store.forget_failures(tx, endpoint.endpoint_id)
        if body.enabled is True:
            await store.enable(tx, endpoint.endpoint_id)
        elif body.enabled is False:
            await disable(tx, endpoint, "shop")
        return EndpointView.of(await _endpoint(tx, storefront, endpoint_id))


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=HTTPStatus.NO_CONTENT)
async def delete_endpoint(storefront: WritingShop, endpoint_id: Named, database: ServiceDatabase) -> None:
    """Delete an endpoint with its secrets and its delivery log."""
    async with database.reading() as tx:
        endpoint = await _endpoint(tx, storefront, endpoint_id)
    await delete(database, endpoint)


@router.post("/webhook-endpoints/{endpoint_id}/secrets", status_code=HTTPStatus.CREATED)
async def rotate_secret(
    storefront: WritingShop, endpoint_id: Named, body: Rotation, database: ServiceDatabase, secrets: Signing
) -> NewSecret:
    """Add a secret, which is not shown again. For some hours webhooks carry signatures by the older ones too."""
    async with database.transaction("http") as tx:
        endpoint = await _endpoint(tx, storefront, endpoint_id, lock=True)
        # A rotation to 0 hours is always possible: it ends the older ones.
        valid = await store.valid_secrets(tx, endpoint.endpoint_id)
        if len(valid) >= _MOST_SECRETS and body.older_secrets_valid_hours:
            detail = (
                f"An endpoint has at most {_MOST_SECRETS} valid secrets; older_secrets_valid_hours 0 ends the others."
            )
            raise LimitReachedError("webhook-secrets", detail, status=HTTPStatus.CONFLICT)
        older_until = tx.now + timedelta(hours=body.older_secrets_valid_hours)
        secret_id, secret = await rotate(tx, secrets, endpoint.endpoint_id, older_until)
    return NewSecret(secret_id=secret_id, secret=secret, older_secrets_expire_at=older_until)


@router.post("/webhook-endpoints/{endpoint_id}/test")
async def test_endpoint(
    storefront: WritingShop,
    endpoint_id: Named,
    body: TestRequest,
    database: ServiceDatabase,
    receiver: Receiver,
    secrets: Signing,
) -> TestResult:
    """Send the example of a type now, once, and answer what came of it. Its `webhook-id` begins with `test_`."""
    async with database.reading() as tx:
        endpoint = await _endpoint(tx, storefront, endpoint_id)
    return TestResult.of(await send_example(database, receiver, secrets, endpoint, body.type))


@router.get("/webhook-endpoints/{endpoint_id}/deliveries")
async def list_deliveries(
    storefront: ReadingShop,
    endpoint_id: Named,
    database: ServiceDatabase,
    state: DeliveryState | None = None,
    before: Annotated[
        UUID | None, Query(description="an `update_id`: only older ones; `next` of the last page")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """The delivery log of an endpoint, newest update first: state, attempts, status, latency, the answer's start."""
    async with database.reading() as tx:
        endpoint = await _endpoint(tx, storefront, endpoint_id)
        rows = await store.delivery_log(tx, endpoint.endpoint_id, state=state, before=before, most=limit)
    return DeliveryPage.of(rows, limit)


@router.post("/webhook-redeliveries", status_code=HTTPStatus.ACCEPTED)
async def request_redelivery(
    storefront: WritingShop, body: RedeliveryRequest, database: ServiceDatabase
) -> RedeliveryAnswer:
    """Send updates again, under the same `webhook-id`: one, or those of a time, to one endpoint or to all."""
    if body.update_id is None and body.endpoint_id is None and body.since is None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid-request",
            "Say what is to be sent again: update_id, endpoint_id or since.",
            errors=[{"field": "body", "message": "needs update_id, endpoint_id or since"}],
        )
    if body.endpoint_id is not None:
        async with database.reading() as tx:
            endpoint = await _endpoint(tx, storefront, str(body.endpoint_id))
        if endpoint.disabled_at is not None:
            raise Problem(HTTPStatus.CONFLICT, "endpoint-disabled", "Enable the endpoint first.")
    answer = await redeliver(database, storefront, body.chosen, body.continue_after)
    return RedeliveryAnswer(deliveries=answer.deliveries, continue_after=answer.continue_after)


async def _check_url(url: str, receiver: Receiver) -> None:
    """Raises Problem (422) for a URL that webhooks are never sent to."""
    message = refused_url(url, plain_allowed=receiver.allows_private)
    if message is None:
        failure = await receiver.check(url)
        message = None if failure is None else _REFUSED.get(failure)
    if message is not None:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "unsuitable-url",
            "Webhooks are sent to https URLs on the public internet only.",
            errors=[{"field": "url", "message": message}],
        )


async def _endpoint(tx: Tx, storefront: str, reference: str, *, lock: bool = False) -> Endpoint:
    """Raises Problem (404) where that shop has no such endpoint."""
    try:
        endpoint_id = UUID(reference)
    except ValueError:
        endpoint = None
    else:
        find = store.lock_endpoint if lock else store.find_endpoint
        endpoint = await find(tx, endpoint_id, storefront)
    if endpoint is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-endpoint", "There is no such webhook endpoint in this shop.")
    return endpoint
