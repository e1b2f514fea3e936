"""Answers records of a shop's topic that cannot be read as orders."""

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json

from ordering.shops.rules import printable
from ordering.updates import rejected_submission, write
from shared.contracts import FieldError, OrderRejected
from shared.database import Tx, storable
from shared.messaging.consumer import RefusedRecord
from shared.values import traceparent

_MAX_SUBMISSION_ID, _MAX_SLUG = 100, 40
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Reasons of dead letters, and the reasons that shops receive for them.
_REASONS = {"shared_topic_closed": "shared-topic-closed", "handler_failed": "could-not-be-handled"}


async def reject_refused_records(tx: Tx, batch: Sequence[RefusedRecord]) -> None:
    """Publish `ordering.order-rejected` for each record that names its submission; the others have no addressee."""
    rejections = []
    for refused in batch:
        body = _json_object(refused.value)
        shop, submission_id = refused.shop or body.get("storefront"), body.get("submission_id")
        if not isinstance(submission_id, str) or not 0 < len(submission_id) <= _MAX_SUBMISSION_ID:
            continue
        if isinstance(shop, str) and len(shop) <= _MAX_SLUG and _SLUG.fullmatch(shop):
            rejection = OrderRejected(
                storefront=shop,
                submission_id=printable(submission_id),
                reason=_REASONS.get(refused.reason, "unreadable-record"),
                errors=(FieldError(field="record", message=storable(refused.detail)[:500]),),
                rejected_at=tx.now,
            )
            rejections.append((rejection, traceparent.parse(refused.trace)))
    await publish_rejections(tx, rejections)


async def publish_rejections(tx: Tx, rejections: Sequence[tuple[OrderRejected, str | None]]) -> None:
    """Publish rejections, each with its traceparent, and write the update of each."""
    for rejection, trace in rejections:
        tx.publish(rejection, trace=trace)
    await write(
        tx,
        [
            rejected_submission(
                rejection.storefront,
                rejection.submission_id,
                rejection.reason,
                rejection.errors,
                rejection.rejected_at,
                trace,
            )
            for rejection, trace in rejections
        ],
    )


def _json_object(value: bytes | None) -> dict[str, Any]:
    try:
        body = from_json(value or b"")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
