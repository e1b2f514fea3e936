"""Erases personal data of buyers on request."""

from collections.abc import Sequence
from uuid import UUID

from refunds.privacy.store import ERASE, KEPT
from shared.contracts import BuyerErasureRequested, Event, RefundsBuyerErased
from shared.database import Tx
from shared.kernel.privacy import forgets
from shared.messaging.consumer import Handler, Tombstone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


def handlers() -> dict[type[Event], Handler]:
    """The handler of the request, which also confirms the erasure."""
    return {BuyerErasureRequested: forgets(RefundsBuyerErased, ERASE, kept=KEPT)}


async def contact_erased(tx: Tx, batch: Sequence[Tombstone]) -> None:
    """Handle tombstones of `ordering.buyer-contact`: erase everything that is stored about these buyers."""
    buyers = sorted({buyer for tombstone in batch if (buyer := _buyer(tombstone)) is not None})
    for statement in ERASE if buyers else ():
        await tx.execute(statement, buyers=buyers)


def _buyer(tombstone: Tombstone) -> UUID | None:
    try:
        return UUID(tombstone.key)
    except ValueError:
        log.warning("tombstone_without_buyer", event_id=str(tombstone.id))
        return None
