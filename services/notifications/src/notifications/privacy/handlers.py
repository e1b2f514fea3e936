"""Erases a buyer: on request of ordering (PP 6.2), and when the contact's tombstone arrives."""

from collections.abc import Sequence

from notifications.delivery import RecentEmails
from notifications.privacy.store import ERASE, KEPT
from shared.contracts import BuyerErasureRequested, NotificationsBuyerErased
from shared.database import Tx
from shared.kernel.privacy import erased_buyers, forgets
from shared.messaging.consumer import Received, Tombstone


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
        buyers = erased_buyers(batch)
        if not buyers:
            return
        for statement in ERASE:
            await tx.execute(statement, buyers=buyers)
        self._recent.forget(buyers)
