"""Schedules emails to shops."""

from collections.abc import Sequence

from notifications.notices.models import SEND_NOTICE, EndpointDisabledNotice
from shared.contracts import WebhookEndpointDisabled
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received


async def endpoint_disabled(tx: Tx, batch: Sequence[Received[WebhookEndpointDisabled]]) -> None:
    """One email each time that an endpoint is disabled."""
    for received in batch:
        event = received.event
        key = f"{event.endpoint_id}/{event.disabled_at.isoformat()}"
        notice = EndpointDisabledNotice(
            notice_id=uuid_for("notice", key),
            storefront=event.storefront,
            endpoint_id=event.endpoint_id,
            description=event.description,
            reason=event.reason,
            failing_since=event.failing_since,
            stopped=event.stopped,
            disabled_at=event.disabled_at,
        )
        tx.schedule(SEND_NOTICE, key, notice, trace=received.trace)
