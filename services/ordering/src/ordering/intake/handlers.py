"""Accepts orders that shops submit over Kafka, and records the eSIMs that were sold, so that top-ups can be checked."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ordering.catalogue import CatalogueFiles
from ordering.holds.models import LimitsOf
from ordering.intake.actions import accept, check
from ordering.intake.models import TOO_MANY_ORDERS, Refusal, Submission
from ordering.intake.store import record_esims
from ordering.shops import printable, publish_rejections
from shared.contracts import (
    Event,
    OrderRejected,
    OrderSubmitted,
    ProfileExpired,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
)
from shared.database import Tx
from shared.messaging.consumer import Handler, Received

#: Columns of `esims` that one event sets, by name.
_Columns = dict[str, Any]


def accept_submitted_orders(
    catalogue: CatalogueFiles, keep_sessions: timedelta, limits: LimitsOf, limit_reached: Callable[[str], None]
) -> Handler:
    """A handler that does what `POST /orders` does. It answers a refusal with `ordering.order-rejected`.

    `limit_reached` counts refusals by limit.
    """

    async def handle(tx: Tx, batch: Sequence[Received[OrderSubmitted]]) -> None:
        now = catalogue.current()
        checked = [check(_submission(received.event, received.trace), now) for received in batch]
        results = await accept(tx, checked, keep_sessions=keep_sessions, limits=limits)
        rejections = []
        for received, result in zip(batch, results, strict=True):
            if isinstance(result, Refusal):
                if result.reason == TOO_MANY_ORDERS:
                    limit_reached("orders")
                rejections.append((_rejection(received.event, result, tx.now), received.trace))
        await publish_rejections(tx, rejections)

    return handle


def _submission(submitted: OrderSubmitted, trace: str | None) -> Submission:
    return Submission(submitted.storefront, submitted.submission_id, submitted.order, trace)


def _rejection(submitted: OrderSubmitted, refusal: Refusal, now: datetime) -> OrderRejected:
    return OrderRejected(
        storefront=submitted.storefront,
        submission_id=printable(submitted.submission_id),
        reason=refusal.reason,
        errors=refusal.errors,
        rejected_at=now,
    )


def _sold(event: ProfileGenerated) -> _Columns:
    plan = event.plan.model_dump(mode="json")
    return {
        "iccid": event.iccid,
        "order_id": event.order_id,
        "storefront": event.storefront,
        "plan": plan,
        "valid_until": event.valid_until,
    }


def _revoked(event: ProfileRevoked) -> _Columns:
    return {"iccid": event.iccid, "revoked_at": event.revoked_at}


def _expired(event: ProfileExpired) -> _Columns:
    return {"iccid": event.iccid, "expired_at": event.expired_at}


def _deleted(event: ProfileObserved) -> _Columns | None:
    return {"iccid": event.iccid, "deleted_at": event.deleted_at} if event.deleted_at else None


def _recording(columns_of: Callable[[Any], _Columns | None]) -> Handler:
    """A handler that records what events say about eSIMs, with one statement for each batch."""

    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        rows = [columns for received in batch if (columns := columns_of(received.event)) is not None]
        await record_esims(tx, rows)

    return handle


HANDLERS: Mapping[type[Event], Handler] = {
    ProfileGenerated: _recording(_sold),
    ProfileRevoked: _recording(_revoked),
    ProfileExpired: _recording(_expired),
    ProfileObserved: _recording(_deleted),
}
