"""Discards old sealed dead letters that no erasure would ever reach.

A dead letter of `ordering.buyer-contact` belongs to the buyer who is its key, and an erasure deletes it (PP 6.2). A
submission that never became an order belongs to no buyer who could request an erasure: only a decision would delete it.
The sellers' documents name no period for it, so a setting does.
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
#: As `messaging.dead_letters.delete` finds them: the id as text. Any other key was chosen freely by a sender.
_OWNERLESS = """
SELECT id FROM dead_letters WHERE state = 'waiting' AND sealed = 1 AND received_at < :before
  AND NOT (topic = :contacts AND coalesce(key, '') ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$')
ORDER BY id LIMIT :most
"""


async def discard_ownerless(database: Database, days: int) -> int:
    """Discard those that have waited longer than `days`, in the log under `system`; returns how many.

    Instances that do this at the same time share the rows; one that is being redriven at this moment is skipped.
    """
    why = f"nobody decided about it within {days} days, and no erasure would reach it"
    discarded = 0
    while True:
        async with database.transaction("maintain") as tx:
            ids = await _ownerless(tx, days)
            decided = await dead_letters.discard(tx, ids, WHO, why)
        discarded += len(decided)
        if len(ids) < _AT_ONCE or not decided:
            break
    if discarded:
        log.warning("old_dead_letters_discarded", count=discarded, days=days)
    return discarded


async def _ownerless(tx: Tx, days: int) -> list[UUID]:
    before = tx.now - timedelta(days=days)
    return (await tx.execute(_OWNERLESS, before=before, contacts=BuyerContact.topic, most=_AT_ONCE)).scalars()
