"""What shops and operations people do with endpoints: create, change, rotate secrets, delete, test, deliver again."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ordering.clients.webhook_receiver import Answer, WebhookReceiver
from ordering.updates import EXAMPLES
from ordering.updates.models import UpdateType
from ordering.webhooks import store
from ordering.webhooks.models import MOST_REDELIVERED, DisabledReason, Endpoint, Redelivery
from ordering.webhooks.secrets import SigningSecrets
from shared.contracts import WebhookEndpointDisabled
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.operations.dead_letters import write_log
from shared.task_payload import NoPayload
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Updates whose deliveries one statement makes due: about a second.
_UPDATES_AT_ONCE = 5_000
_DELETED_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many deliveries were made due. `next_since`: where the next request continues; None where all were."""

    deliveries: int
    continue_after: UUID | None


async def create(
    tx: Tx, secrets: SigningSecrets, storefront: str, url: str, description: str, types: Sequence[str] | None
) -> tuple[Endpoint, str]:
    """Create an endpoint. Returns it with its secret, which is shown now and never again."""
    endpoint = Endpoint(
        uuid7(),
        storefront,
        url,
        description,
        None if types is None else list(types),
        created_at=tx.now,
        disabled_at=None,
        disabled_reason=None,
        failures=0,
        failing_since=None,
        paused_until=None,
        succeeded_at=None,
    )
    secret, sealed = secrets.make()
    await store.insert_endpoint(tx, endpoint)
    await store.insert_secret(tx, endpoint.endpoint_id, sealed)
    return endpoint, secret


async def rotate(tx: Tx, secrets: SigningSecrets, endpoint_id: UUID, older_until: datetime) -> tuple[UUID, str]:
    """Add a secret. Until `older_until` webhooks carry a signature by each older one too."""
    await store.expire_secrets(tx, endpoint_id, older_until)
    secret, sealed = secrets.make()
    return await store.insert_secret(tx, endpoint_id, sealed), secret


async def disable(tx: Tx, endpoint: Endpoint, reason: DisabledReason) -> None:
    """Send nothing more to an endpoint. Unless its shop did it, the shop is informed."""
    stopped = await store.disable(tx, endpoint.endpoint_id, reason)
    if stopped is None or reason == "shop":
        return
    log.error(
        "webhook_endpoint_disabled", endpoint=str(endpoint.endpoint_id), storefront=endpoint.storefront, reason=reason
    )
    event = WebhookEndpointDisabled(
        endpoint_id=endpoint.endpoint_id,
        storefront=endpoint.storefront,
        description=endpoint.description,
        reason=reason,
        failing_since=endpoint.failing_since,
        stopped=stopped,
        disabled_at=tx.now,
    )
    tx.publish(event, trace=None)


async def enable(tx: Tx, endpoint: Endpoint, who: str, reason: str) -> Endpoint:
    """Send to a disabled endpoint again, as operations people decided; kept in the log of operations."""
    await store.enable(tx, endpoint.endpoint_id)
    details = {"storefront": endpoint.storefront, "disabled_reason": endpoint.disabled_reason}
    await write_log(tx, who, "webhook-endpoint.enabled", reason, {str(endpoint.endpoint_id): details})
    enabled = await store.find_endpoint(tx, endpoint.endpoint_id, None)
    return endpoint if enabled is None else enabled


async def delete(database: Database, endpoint: Endpoint) -> None:
    """Delete an endpoint with its secrets and its log, in several transactions where the log is long."""
    async with database.transaction("http") as tx:
        await store.disable(tx, endpoint.endpoint_id, "shop")
    deleted = _DELETED_AT_ONCE
    while deleted == _DELETED_AT_ONCE:
        async with database.transaction("http") as tx:
            deleted = await store.delete_deliveries(tx, endpoint.endpoint_id, _DELETED_AT_ONCE)
            if deleted < _DELETED_AT_ONCE:
                await store.delete_endpoint(tx, endpoint.endpoint_id)


async def redeliver(database: Database, storefront: str, chosen: Redelivery, after: UUID | None) -> Redelivered:
    """Make updates due again, under the same ids, at once and for three days."""
    made = read = 0
    while True:
        async with database.transaction("http") as tx:
            row = await store.redeliver(tx, storefront, chosen, after, _UPDATES_AT_ONCE)
            await schedule_due(tx, row.endpoints)
        made, read, after = made + row.made, read + row.chosen, row.last
        if row.chosen < _UPDATES_AT_ONCE:
            return Redelivered(made, None)
        if read >= MOST_REDELIVERED:
            return Redelivered(made, after)


async def schedule_due(tx: Tx, among: Collection[UUID] | None = None) -> None:
    """Create the tasks of those of these endpoints (None: of all) that have due deliveries and no task."""
    for kind, endpoint_id in await store.without_task(tx, among):
        tx.schedule(kind, str(endpoint_id), NoPayload())


async def send_example(
    database: Database, receiver: WebhookReceiver, secrets: SigningSecrets, endpoint: Endpoint, type_: UpdateType
) -> Answer:
    """Send the example of a type, once. The endpoint may be disabled; nothing is stored."""
    async with database.reading() as tx:
        sealed = await store.valid_secrets(tx, endpoint.endpoint_id)
        now = tx.now
    body = json.dumps(EXAMPLES[type_])
    headers = secrets.headers(sealed, f"test_{uuid7()}", now, body)
    async with receiver.connect(endpoint.url) as connection:
        return await connection.post(headers, body.encode())
