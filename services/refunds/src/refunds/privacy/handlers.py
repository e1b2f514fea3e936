"""Erases personal data of buyers on request."""

from collections.abc import Sequence

from refunds.privacy.store import ERASE, KEPT
from shared.contracts import BuyerErasureRequested, Event, RefundsBuyerErased
from shared.database import Tx
from shared.kernel.privacy import erased_buyers, forgets
from shared.messaging.consumer import Handler, Tombstone


def handlers() -> dict[type[Event], Handler]:
    """The handler of the request, which also confirms the erasure."""
    return {BuyerErasureRequested: forgets(RefundsBuyerErased, ERASE, kept=KEPT)}


async def contact_erased(tx: Tx, batch: Sequence[Tombstone]) -> None:
    """Handle tombstones of `ordering.buyer-contact`: erase everything that is stored about these buyers."""
    buyers = erased_buyers(batch)
    for statement in ERASE if buyers else ():
        await tx.execute(statement, buyers=buyers)
