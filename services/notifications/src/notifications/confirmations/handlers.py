"""Schedules the sending of confirmation codes (PP 6.1, PP 6.2)."""

from collections.abc import Sequence

from notifications.delivery import EmailQueue, by_subject
from shared.contracts import ConfirmationRequested
from shared.database import Tx
from shared.messaging.consumer import Received


class ConfirmationHandlers:
    """Handlers of confirmation events."""

    def __init__(self, queue: EmailQueue) -> None:
        self._queue = queue

    async def confirmation_requested(self, tx: Tx, batch: Sequence[Received[ConfirmationRequested]]) -> None:
        """Schedule one code per confirmation. A code that has expired by the time of sending is dropped then."""
        events = by_subject(batch, lambda event: event.confirmation_id)
        await self._queue.add(tx, "code", events)
