"""Correcting a buyer's contact data (PP 6.1): confirmed by a code, told to everybody who keeps a copy, audited."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ordering.domain.reference import Reference
from ordering.tables import contact_changes
from shared.contracts import BuyerContact, Language
from shared.database import Tx
from shared.ids import uuid7

_ORDER = """
SELECT o.order_id, o.number, o.storefront, o.buyer_id, o.trace, b.phone, b.blocked, b.buyer_id IS NULL AS erased
FROM orders o LEFT JOIN buyers b USING (buyer_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront)
  AND (o.order_id = :order_id OR o.number = :number)
"""
#: Another person may order under the new address already: then this row is found by its own id only, and both stay.
_CORRECT = """
UPDATE buyers b SET
  name = COALESCE(:name, b.name), email = COALESCE(:email, b.email), phone = COALESCE(:phone, b.phone),
  language = COALESCE(:language, b.language), updated_at = :now,
  email_key = CASE
    WHEN CAST(:email_key AS text) IS NULL THEN b.email_key
    WHEN EXISTS (SELECT 1 FROM buyers o WHERE o.storefront = b.storefront AND o.email_key = :email_key
                   AND o.buyer_id <> b.buyer_id) THEN b.buyer_id::text
    ELSE :email_key END
WHERE b.buyer_id = :buyer_id
RETURNING buyer_id, storefront, name, email, phone, language, newsletter, blocked
"""
_BLOCK = """
UPDATE buyers SET blocked = true, newsletter = false, updated_at = :now WHERE buyer_id = :buyer_id
RETURNING buyer_id, storefront, name, email, phone, language, newsletter, blocked
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """New values in normal form; None leaves a field as it is. `email_key` belongs to `email`."""

    name: str | None = None
    email: str | None = None
    email_key: str | None = None
    phone: str | None = None
    language: Language | None = None

    @property
    def fields(self) -> list[str]:
        """Which fields change."""
        return [name for name in ("name", "email", "phone", "language") if getattr(self, name) is not None]

    def packed(self) -> bytes:
        """As JSON, for sealing."""
        names = (*self.fields, "email_key")
        return json.dumps({name: getattr(self, name) for name in names}).encode()

    @classmethod
    def unpacked(cls, packed: bytes) -> "Correction":
        return cls(**json.loads(packed))


async def order_of(tx: Tx, storefront: str | None, order: Reference) -> Any:
    """An order with its buyer's state (`erased`, `blocked`), or None. Agents (None) see any storefront's."""
    found = await tx.execute(_ORDER, storefront=storefront, order_id=order.order_id, number=order.number)
    return found.one_or_none()


async def correct(
    tx: Tx, order_id: UUID, buyer_id: UUID, correction: Correction, *, confirmed_by: str, trace: str | None
) -> bool:
    """Apply a correction and tell it; False where the buyer was erased meanwhile."""
    values: Mapping[str, Any] = {
        name: getattr(correction, name) for name in ("name", "email", "email_key", "phone", "language")
    }
    row = (await tx.execute(_CORRECT, buyer_id=buyer_id, now=tx.now, **values)).one_or_none()
    if row is None:
        return False
    change = {
        "change_id": uuid7(),
        "order_id": order_id,
        "buyer_id": buyer_id,
        "fields": correction.fields,
        "confirmed_by": confirmed_by,
        "changed_at": tx.now,
    }
    await tx.insert(contact_changes, [change])
    tx.publish(_contact(row, tx), trace=trace)
    return True


async def block(tx: Tx, buyer_id: UUID, *, trace: str | None) -> bool:
    """Keep the data and use them no longer (PP 6.2); False where there is nothing to block."""
    row = (await tx.execute(_BLOCK, buyer_id=buyer_id, now=tx.now)).one_or_none()
    if row is not None:
        tx.publish(_contact(row, tx), trace=trace)
    return row is not None


def _contact(row: Any, tx: Tx) -> BuyerContact:
    return BuyerContact(**row._asdict(), updated_at=tx.now)
