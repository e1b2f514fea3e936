"""Erases a buyer: on request of ordering (PP 6.2), and when the contact's tombstone arrives."""

from collections.abc import Sequence
from uuid import UUID

from notifications.delivery import RecentEmails
from notifications.privacy.store import ERASE, KEPT
from shared.contracts import BuyerErasureRequested, NotificationsBuyerErased
from shared.database import Tx
from shared.kernel.privacy import forgets
from shared.messaging.consumer import Received, Tombstone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class ErasureHandlers:
    """Handlers of erasures; both run the same statements, so that repeating one changes nothing."""

    def __init__(self, recent: RecentEmails) -> None:
        self._recent = recent
        self._erase = forgets(NotificationsBuyerErased, ERASE, kept=KEPT)

    async def buyer_erasure_requested(self, tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        """Erase the buyers and publish NotificationsBuyerErased."""
        await self._erase(tx, batch)
        self._recent.forget(received.event.buyer_id for received in batch)

    async def contact_erased(self, tx: Tx, batch: Sequence[Tombstone]) -> None:
        """Erase the buyers. Their ids stay in `contacts`, so that a late contact event stores no data again."""
        buyers = sorted({buyer for tombstone in batch if (buyer := _buyer_id(tombstone)) is not None})
        if not buyers:
            return
        for statement in ERASE:
            await tx.execute(statement, buyers=buyers)
        self._recent.forget(buyers)


def _buyer_id(tombstone: Tombstone) -> UUID | None:
    try:
        return UUID(tombstone.key)
    except ValueError:
        log.warning("tombstone_without_buyer", event_id=str(tombstone.id))
        return None
