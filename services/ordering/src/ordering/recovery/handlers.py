"""Handlers of ordering's own events, and its steps of the recovery."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ordering.privacy import erase_again
from ordering.recovery import store
from ordering.timeline import derive_statuses, record
from ordering.timeline.models import Fact, RecordedFact
from shared.contracts import (
    ApiKeyChanged,
    BuyerContact,
    BuyerErasureRequested,
    OrderHeld,
    OrderPlaced,
    OrderRefused,
    OrderReleased,
)
from shared.contracts.base import Event
from shared.database import Database, Tx
from shared.keys.handlers import api_key_changed
from shared.messaging.consumer import Handler, Received
from shared.recovery.models import RecoveredRecords

#: Order numbers that stay unused, besides one for each order of the lost time.
_MARGIN = 1000
_LISTED = 20


class OwnEvents:
    """Stores what the events say."""

    def __init__(self, database: Database) -> None:
        self._database = database
        #: Numbers of orders that were held in the lost time, by order.
        self._held: dict[UUID, str] = {}

    @property
    def handlers(self) -> dict[type[Event], Handler]:
        """In the sequence in which they are applied: an erasure after the contact and the order that it erases."""
        return {
            BuyerContact: self.buyer_contact,
            OrderPlaced: self.order_placed,
            OrderHeld: self.order_held,
            OrderReleased: self.order_released,
            OrderRefused: self.order_refused,
            BuyerErasureRequested: self.erasure_requested,
            ApiKeyChanged: api_key_changed,
        }

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """The order's contact, or a correction of it."""
        await store.keep_contacts(tx, [received.event for received in batch])

    async def order_placed(self, tx: Tx, batch: Sequence[Received[OrderPlaced]]) -> None:
        """The order keeps its number and its idempotency key, so that a repetition does not place it again."""
        new = await store.keep_orders(tx, [(received.event, received.trace) for received in batch])
        await derive_statuses(tx, new)

    async def order_held(self, tx: Tx, batch: Sequence[Received[OrderHeld]]) -> None:
        """The order was held. What it was about is known only once it was released."""
        self._held |= {received.event.order_id: received.event.order_number for received in batch}
        await store.keep_holds(tx, [received.event for received in batch])
        await record(tx, [_recorded(one, Fact.ORDER_HELD, one.event.held_at) for one in batch])

    async def order_released(self, tx: Tx, batch: Sequence[Received[OrderReleased]]) -> None:
        """An agent released the order."""
        await store.keep_decisions(tx, [received.event for received in batch])
        await record(tx, [_recorded(one, Fact.ORDER_RELEASED, one.event.released_at) for one in batch])

    async def order_refused(self, tx: Tx, batch: Sequence[Received[OrderRefused]]) -> None:
        """An agent refused the order."""
        await store.keep_decisions(tx, [received.event for received in batch])
        await record(tx, [_recorded(one, Fact.ORDER_REFUSED, one.event.refused_at) for one in batch])

    async def erasure_requested(self, tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        """The buyer was erased: whatever the backup, or an event before this one, has of them goes again (I12)."""
        await store.keep_requests(tx, [received.event for received in batch])
        await erase_again(tx, [(received.event, received.trace) for received in batch])

    async def skip_numbers(self, records: RecoveredRecords) -> Sequence[str]:
        """Order numbers of the lost time stand in mails, at the bank and at operators: none is given again."""
        lost = records.lost.get(BuyerContact.topic, 0) + records.lost.get(OrderPlaced.topic, 0)
        async with self._database.transaction("recovery") as tx:
            last = await store.advance_numbers(tx, lost + _MARGIN)
        return [f"order numbers go on behind {last}"]

    async def list_lost_holds(self, _records: RecoveredRecords) -> Sequence[str]:
        """Name held orders whose content is lost: their buyers have to order again."""
        async with self._database.reading() as tx:
            stored = await store.stored_orders(tx, self._held)
        numbers = sorted(number for order_id, number in self._held.items() if order_id not in stored)
        more = " and others" if len(numbers) > _LISTED else ""
        return [f"held orders that are lost: {', '.join(numbers[:_LISTED]) or 'none'}{more}"]


def _recorded(one: Received[Any], fact: Fact, at: datetime) -> tuple[UUID, RecordedFact]:
    return one.event.order_id, RecordedFact(fact, at, trace=one.trace)
