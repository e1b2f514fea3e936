"""What ordering says of requests and of orders that it holds: a code to be sent, and mails that nothing is silent."""

from collections.abc import Sequence

from notifications.consumers.mailing import Fact, Mailing
from notifications.privacy import FORGET, KEPT
from notifications.recent import Recent
from shared.contracts import (
    BuyerErasureRequested,
    ConfirmationRequested,
    NotificationsBuyerErased,
    OrderHeld,
    OrderRefused,
)
from shared.database import Tx
from shared.kernel.privacy import forgets
from shared.messaging.consumer import Received


class Requests:
    """Applies what ordering asks for."""

    def __init__(self, mailing: Mailing, recent: Recent) -> None:
        self._mailing = mailing
        self._recent = recent
        self._forget = forgets(NotificationsBuyerErased, FORGET, kept=KEPT)

    async def confirmation_requested(self, tx: Tx, batch: Sequence[Received[ConfirmationRequested]]) -> None:
        """PP 6.1, 6.2: the buyer is to get a code. One that came too late is dropped when it would be sent."""
        facts = {one.event.confirmation_id: Fact(one.event, one.trace) for one in batch}
        await self._mailing.due(tx, "code", facts)

    async def order_held(self, tx: Tx, batch: Sequence[Received[OrderHeld]]) -> None:
        """PP 4.5: a person looks at the order before it can be paid."""
        await self._mailing.due(tx, "held", {one.event.order_id: Fact(one.event, one.trace) for one in batch})

    async def order_refused(self, tx: Tx, batch: Sequence[Received[OrderRefused]]) -> None:
        """PP 4.5: the order cannot be paid."""
        await self._mailing.due(tx, "declined", {one.event.order_id: Fact(one.event, one.trace) for one in batch})

    async def buyer_erasure_requested(self, tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        """PP 6.2: forget, and say so."""
        await self._forget(tx, batch)
        self._recent.forget(one.event.buyer_id for one in batch)
