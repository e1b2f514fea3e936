"""Schedules emails to shops."""

from collections.abc import Sequence

from notifications.notices.models import SEND_ALERT, SEND_NOTICE, DeadlineNotice, EndpointDisabledNotice
from shared.contracts import DeadlineNear, WebhookEndpointDisabled
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


async def deadline_near(tx: Tx, batch: Sequence[Received[DeadlineNear]]) -> None:
    """One email to the shop's agents for each deadline."""
    for received in batch:
        event = received.event
        key = f"{event.case_id or event.claim_id}/{event.kind}/{event.due_at.isoformat()}"
        notice = DeadlineNotice(
            notice_id=uuid_for("deadline", key),
            storefront=event.storefront,
            order_number=event.order_number,
            subject_id=event.case_id or event.claim_id or event.order_id,
            kind=event.kind,
            due_at=event.due_at,
            page=event.page,
        )
        tx.schedule(SEND_ALERT, key, notice, trace=received.trace)
