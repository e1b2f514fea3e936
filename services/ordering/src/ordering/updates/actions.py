"""Records facts and writes what shops hear of them, in the caller's transaction."""

from collections.abc import Sequence
from uuid import UUID

from ordering.timeline import record as record_in_timeline
from ordering.timeline import record_earliest as record_earliest_in_timeline
from ordering.timeline.models import NewFact, RecordedFact
from ordering.updates import store
from ordering.updates.models import Update
from ordering.updates.rules import updates_of
from ordering.updates.topics import shop_update
from shared.database import Tx
from shared.task_payload import NoPayload


async def record(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> None:
    """Record facts by order id, and write the updates of those that are new."""
    await _write_about(tx, await record_in_timeline(tx, facts))


async def record_earliest(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> None:
    """The same for facts whose time may move to an earlier one; the update keeps the time that was reported first."""
    await _write_about(tx, await record_earliest_in_timeline(tx, facts))


async def write(tx: Tx, new: Sequence[Update]) -> list[Update]:
    """Write updates, and return those that were not written before.

    Their webhooks become due in the same transaction. An endpoint has one task, whatever the number of its deliveries.
    """
    if not new:
        return []
    inserted, endpoints = await store.insert(tx, new)
    for kind, endpoint_id in endpoints:
        tx.schedule(kind, str(endpoint_id), NoPayload())
    written = [update for update in new if update.id in inserted]
    for update in written:
        tx.publish_update(shop_update(update), update.id, trace=update.trace)
    return written


async def _write_about(tx: Tx, facts: Sequence[NewFact]) -> None:
    await write(tx, updates_of(facts))
