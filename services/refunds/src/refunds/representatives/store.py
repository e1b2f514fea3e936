"""SQL of representations. The representative's name and the evidence are stored as a mail is, sealed."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from refunds.tables import representation_acts, representations
from shared.database import Tx

_FIND = """
SELECT r.*, f.order_number FROM representations r JOIN order_facts f USING (order_id)
WHERE representation_id = :id
"""
_LOCK = "SELECT * FROM representations WHERE representation_id = :id FOR UPDATE"
_OF_ORDER = "SELECT * FROM representations WHERE order_id = :order ORDER BY recorded_at DESC, representation_id"
_WAITING = """
SELECT r.*, f.order_number FROM representations r JOIN order_facts f USING (order_id)
WHERE r.confirmed IS NULL AND r.ended_at IS NULL ORDER BY r.recorded_at, r.representation_id LIMIT 200
"""
#: A CHECK refuses the same person.
_DECIDE = """
UPDATE representations SET confirmed = :confirmed, decided_by = :who, decided_at = :now WHERE representation_id = :id
"""
_END = "UPDATE representations SET ended_by = :who, ended_at = :now WHERE representation_id = :id"
_ACTS = "SELECT * FROM representation_acts WHERE representation_id = :id ORDER BY at, act_id"
#: The mail with the name and the files belongs to the buyer, and to no order, case or list of mails.
_FILE = "UPDATE support_mails SET state = 'filed', buyer_id = :buyer WHERE mail_id = :id"
#: With `:buyers`. Names and files are deleted with the mails; the row stays as the proof of what was done upon it.
ERASE_REPRESENTATIONS = """
UPDATE representations SET ended_at = now(), ended_by = 'system'
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND ended_at IS NULL
"""


async def insert(tx: Tx, row: dict[str, Any]) -> bool:
    """Store a representation. False where its id is stored already."""
    stored = await tx.insert(representations, [row], returning="representation_id")
    return bool(list(stored))


async def file_for(tx: Tx, mail_id: UUID, buyer_id: UUID) -> None:
    """Take the mail of a representation out of the lists of mails; it goes with the buyer's data."""
    await tx.execute(_FILE, id=mail_id, buyer=buyer_id)


async def find(tx: Tx, representation_id: UUID) -> Any:
    """A representation with the number of its order, or None."""
    return (await tx.execute(_FIND, id=representation_id)).one_or_none()


async def lock(tx: Tx, representation_id: UUID) -> Any:
    """A representation, locked, or None."""
    return (await tx.execute(_LOCK, id=representation_id)).one_or_none()


async def of_order(tx: Tx, order_id: UUID) -> Sequence[Any]:
    """The representations that were recorded from the page of this order, the newest first."""
    return (await tx.execute(_OF_ORDER, order=order_id)).all()


async def waiting(tx: Tx) -> Sequence[Any]:
    """Representations that wait for a supervisor, the oldest first (at most 200)."""
    return (await tx.execute(_WAITING)).all()


async def decide(tx: Tx, representation_id: UUID, who: str, *, confirmed: bool) -> None:
    """Store what the second person says."""
    await tx.execute(_DECIDE, id=representation_id, who=who, confirmed=confirmed, now=tx.now)


async def end(tx: Tx, representation_id: UUID, who: str) -> None:
    """Store that nothing is done upon it any more."""
    await tx.execute(_END, id=representation_id, who=who, now=tx.now)


async def insert_act(tx: Tx, row: dict[str, Any]) -> None:
    """Store what was done upon a representation, and what became of it."""
    await tx.insert(representation_acts, [row])


async def acts_of(tx: Tx, representation_id: UUID) -> Sequence[Any]:
    """What was done upon a representation, the earliest first."""
    return (await tx.execute(_ACTS, id=representation_id)).all()
