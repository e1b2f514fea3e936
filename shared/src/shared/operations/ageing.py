"""Sealed letters that no erasure would ever reach end by themselves.

A letter of `ordering.buyer-contact` belongs to the buyer who is its key, and goes with that buyer (PP 6.2). A
submission that never became an order belongs to nobody who could ask: nothing but a decision would end what it holds.
The sellers' documents name no period for it, so the setting does.
"""

from datetime import timedelta
from uuid import UUID

from shared.contracts import BuyerContact
from shared.database import Database, Tx
from shared.operations import dead_letters
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
WHO = "system"
_AT_ONCE = 500
#: As `drop_letters` finds them: the id as text. Any other key is somebody's own words.
_OWNERLESS = """
SELECT id FROM dead_letters WHERE state = 'waiting' AND sealed = 1 AND received_at < :before
  AND NOT (topic = :contacts AND coalesce(key, '') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
ORDER BY id LIMIT :most
"""


async def discard_ownerless(database: Database, days: int) -> int:
    """Discard those that have waited longer than `days`, in the log under `system`; returns how many.

    Instances that do it at the same time share the letters; one that somebody redrives at this moment is left alone.
    """
    why = f"nobody decided about it within {days} days, and no erasure would reach it"
    discarded = 0
    while True:
        async with database.transaction("maintain") as tx:
            found = await _ownerless(tx, days)
            done = await dead_letters.discard(tx, found, WHO, why)
        discarded += len(done)
        if len(found) < _AT_ONCE or not done:
            break
    if discarded:
        log.warning("dead_letters_ended", count=discarded, days=days)
    return discarded


async def _ownerless(tx: Tx, days: int) -> list[UUID]:
    before = tx.now - timedelta(days=days)
    return (await tx.execute(_OWNERLESS, before=before, contacts=BuyerContact.topic, most=_AT_ONCE)).scalars()
