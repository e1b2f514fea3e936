"""HTTP: operations people see the webhook endpoints of all shops, enable them again, and have updates sent again."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from ordering.webhooks import store
from ordering.webhooks.actions import enable, redeliver
from ordering.webhooks.models import DeliveryState, Endpoint
from ordering.webhooks.views import (
    DeliveryPage,
    Enabling,
    OperatedEndpointsView,
    OperatedEndpointView,
    OperatedRedeliveryAnswer,
    OperatedRedeliveryRequest,
)
from shared.contracts.base import Slug
from shared.database import Tx
from shared.kernel.dependencies import ServiceDatabase
from shared.kernel.problems import Problem
from shared.operations.callers import Caller
from shared.operations.dead_letters import write_log

router = APIRouter(prefix="/operations", tags=["webhooks"])


@router.get("/webhook-endpoints", name="operated_endpoints")
async def list_endpoints(
    _caller: Caller, database: ServiceDatabase, storefront: Annotated[Slug | None, Query()] = None
) -> OperatedEndpointsView:
    """The endpoints of a shop, or of all, the oldest first, without secrets."""
    async with database.reading() as tx:
        endpoints = await store.list_endpoints(tx, storefront)
    return OperatedEndpointsView(items=[OperatedEndpointView.of(endpoint) for endpoint in endpoints])


@router.get("/webhook-endpoints/{endpoint_id}", name="operated_endpoint")
async def show_endpoint(_caller: Caller, endpoint_id: UUID, database: ServiceDatabase) -> OperatedEndpointView:
    """One endpoint of any shop, and how it does."""
    async with database.reading() as tx:
        return OperatedEndpointView.of(await _endpoint(tx, endpoint_id))


@router.get("/webhook-endpoints/{endpoint_id}/deliveries", name="operated_deliveries")
async def list_deliveries(
    _caller: Caller,
    endpoint_id: UUID,
    database: ServiceDatabase,
    state: DeliveryState | None = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> DeliveryPage:
    """The delivery log of an endpoint of any shop, newest update first."""
    async with database.reading() as tx:
        await _endpoint(tx, endpoint_id)
        rows = await store.delivery_log(tx, endpoint_id, state=state, before=before, most=limit)
    return DeliveryPage.of(rows, limit)


@router.post("/webhook-endpoints/{endpoint_id}/enabling", name="enable_endpoint")
async def enable_endpoint(
    caller: Caller, endpoint_id: UUID, body: Enabling, database: ServiceDatabase
) -> OperatedEndpointView:
    """Send to an endpoint again. What happened while it was disabled is sent on request only. Safe to repeat."""
    async with database.transaction("http") as tx:
        endpoint = await _endpoint(tx, endpoint_id, lock=True)
        if endpoint.disabled_at is None:
            return OperatedEndpointView.of(endpoint)
        return OperatedEndpointView.of(await enable(tx, endpoint, caller, body.reason))


@router.post("/webhook-redeliveries", name="operated_redelivery")
async def request_redelivery(
    caller: Caller, body: OperatedRedeliveryRequest, database: ServiceDatabase
) -> OperatedRedeliveryAnswer:
    """Send updates of one shop again, under the same `webhook-id`. `dry_run` counts them and changes nothing."""
    async with database.reading() as tx:
        if body.endpoint_id is not None:
            endpoint = await _endpoint(tx, body.endpoint_id, body.storefront)
            if endpoint.disabled_at is not None:
                raise Problem(HTTPStatus.CONFLICT, "endpoint-disabled", "Enable the endpoint first.")
        if body.dry_run:
            made, more = await store.count_redeliverable(tx, body.storefront, body.chosen)
            return OperatedRedeliveryAnswer(deliveries=made, more=more, continue_after=None)
    if body.continue_after is None:
        async with database.transaction("http") as tx:
            details = body.model_dump(mode="json", exclude={"reason", "dry_run", "continue_after"})
            await write_log(tx, caller, "webhooks.redelivered", body.reason, {body.storefront: details})
    answer = await redeliver(database, body.storefront, body.chosen, body.continue_after)
    after = answer.continue_after
    return OperatedRedeliveryAnswer(deliveries=answer.deliveries, more=after is not None, continue_after=after)


async def _endpoint(tx: Tx, endpoint_id: UUID, storefront: str | None = None, *, lock: bool = False) -> Endpoint:
    """Raises Problem (404)."""
    find = store.lock_endpoint if lock else store.find_endpoint
    endpoint = await find(tx, endpoint_id, storefront)
    if endpoint is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-endpoint", "There is no such webhook endpoint.")
    return endpoint
