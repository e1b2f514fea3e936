"""Applies the facts of all services to the read model, in any sequence; a few statements for each topic and batch."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from operations.facts.rows import ROWS
from operations.facts.rules import happened_at, summary
from operations.facts.store import merge
from operations.hashes import EmailHashes
from operations.tables import buyers, facts
from shared.contracts import BuyerContact, BuyerErasureRequested, Event, OrderEvent
from shared.database import Tx
from shared.messaging.consumer import Handler, Received, Tombstone

_NEWEST_CONTACT = """
ON CONFLICT (buyer_id) DO UPDATE
SET email_hash = EXCLUDED.email_hash, blocked = EXCLUDED.blocked, updated_at = EXCLUDED.updated_at
WHERE buyers.erased_at IS NULL AND buyers.updated_at < EXCLUDED.updated_at
"""
_DELETE_HASH = """
INSERT INTO buyers (buyer_id, erased_at) SELECT unnest(CAST(:buyers AS uuid[])), :now
ON CONFLICT (buyer_id) DO UPDATE
SET email_hash = NULL, updated_at = NULL, erased_at = COALESCE(buyers.erased_at, EXCLUDED.erased_at)
"""


class FactHandlers:
    """One handler for each fact of the product."""

    def __init__(self, hashes: EmailHashes) -> None:
        self._hashes = hashes

    def handlers(self) -> dict[type[Event], Handler]:
        """The handlers, by the fact that they apply."""
        return {
            **{event_class: _apply(make) for event_class, make in ROWS.items()},
            BuyerContact: self.buyer_contact,
            BuyerErasureRequested: self.erasure_requested,
        }

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Store a keyed hash of the newest e-mail address. The timeline shows nothing of it."""
        newest: dict[UUID, BuyerContact] = {}
        for received in batch:
            event = received.event
            if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
                newest[event.buyer_id] = event
        rows = [
            {
                "buyer_id": buyer,
                "email_hash": self._hashes.of(newest[buyer].email),
                "blocked": newest[buyer].blocked,
                "updated_at": newest[buyer].updated_at,
            }
            for buyer in sorted(newest)
        ]
        await tx.insert(buyers, rows, on_conflict=_NEWEST_CONTACT)

    async def erasure_requested(self, tx: Tx, batch: Sequence[Received[BuyerErasureRequested]]) -> None:
        """Delete the hash at once, and store the request, which every service has to confirm."""
        await _apply(ROWS[BuyerErasureRequested])(tx, batch)
        await _delete_hash(tx, {received.event.buyer_id for received in batch})

    async def buyer_erased(self, tx: Tx, batch: Sequence[Tombstone]) -> None:
        """Delete the hashes of buyers whose contact is a tombstone."""
        await _delete_hash(tx, {buyer for tombstone in batch if (buyer := _uuid(tombstone.key)) is not None})


async def _delete_hash(tx: Tx, erased: set[UUID]) -> None:
    if erased:
        await tx.execute(_DELETE_HASH, buyers=sorted(erased), now=tx.now)


def _apply(rows_of: Callable[[Any, Any], Sequence[tuple[Table, Mapping[str, Any]]]]) -> Handler:
    """A handler that stores the fact for the timeline, and merges its rows into the tables of the read model."""

    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        await tx.insert(facts, [_fact(received, tx) for received in batch])
        rows_by_table: dict[str, tuple[Table, list[Mapping[str, Any]]]] = {}
        for received in batch:
            for table, row in rows_of(received.event, tx.now):
                rows_by_table.setdefault(table.name, (table, []))[1].append(row)
        for name in sorted(rows_by_table):
            await merge(tx, *rows_by_table[name])

    return handle


def _fact(received: Received[Event], tx: Tx) -> dict[str, Any]:
    event = received.event
    return {
        "event_id": received.id,
        "order_id": event.order_id if isinstance(event, OrderEvent) else None,
        "subject": None if isinstance(event, OrderEvent) else event.key(),
        "topic": event.topic,
        "at": happened_at(event),
        "told_at": received.time,
        "known_at": tx.now,
        "trace": received.trace,
        "summary": summary(event),
    }


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
