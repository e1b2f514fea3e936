"""Handlers of the compacted topic of buyers' contact data."""

from collections.abc import Sequence
from uuid import UUID

from payments.tables import contacts
from shared.contracts import BuyerContact
from shared.database import Tx
from shared.messaging.consumer import Received, Tombstone

_NEWEST_WINS = """
ON CONFLICT (buyer_id) DO UPDATE SET name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone,
  language = EXCLUDED.language, updated_at = EXCLUDED.updated_at
WHERE contacts.updated_at < EXCLUDED.updated_at
"""


async def buyer_contact(tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
    """Keep the newest contact data of each buyer."""
    newest: dict[UUID, BuyerContact] = {}
    for received in batch:
        previous = newest.get(received.event.buyer_id)
        if previous is None or previous.updated_at < received.event.updated_at:
            newest[received.event.buyer_id] = received.event
    columns = [column.name for column in contacts.columns]
    rows = [{name: getattr(newest[buyer_id], name) for name in columns} for buyer_id in sorted(newest)]
    await tx.insert(contacts, rows, on_conflict=_NEWEST_WINS)


async def buyer_erased(tx: Tx, batch: Sequence[Tombstone]) -> None:
    """Delete the contact data of these buyers (PP 6.2)."""
    await tx.execute(
        "DELETE FROM contacts WHERE buyer_id = ANY(CAST(:keys AS uuid[]))",
        keys=sorted({UUID(tombstone.key) for tombstone in batch}),
    )
