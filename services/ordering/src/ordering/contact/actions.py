"""Correcting a buyer's contact data (PP 6.1): confirmed by a code, told to everybody who keeps a copy, audited."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ordering.tables import contact_changes
from ordering.timeline.reference import Reference
from shared.contracts import BuyerContact, Language
from shared.database import Tx
from shared.ids import uuid7
from shared.values.email_address import mailbox_key

_ORDER = """
SELECT o.order_id, o.number, o.storefront, o.buyer_id, o.trace, b.buyer_id IS NULL AS erased,
  (SELECT count(*) FROM (SELECT 1 FROM orders s WHERE s.buyer_id = o.buyer_id LIMIT 2) n) AS orders
FROM orders o LEFT JOIN buyers b USING (buyer_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront)
  AND (o.order_id = :order_id OR o.number = :number)
"""
_TOLD = "buyer_id, storefront, name, email, phone, language, newsletter, newsletter_asked, blocked"
#: Another address is another mailbox: nobody has proved it, and consent to newsletters does not move there.
_CORRECT = f"""
UPDATE buyers b SET
  name = COALESCE(:name, b.name), email = COALESCE(:email, b.email), phone = COALESCE(:phone, b.phone),
  language = COALESCE(:language, b.language), updated_at = :now,
  mailbox_key = COALESCE(:email_key, b.mailbox_key),
  email_key = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.email_key ELSE b.buyer_id::text END,
  newsletter = b.newsletter AND CAST(:email_key AS text) IS NULL,
  proved_email = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_email END,
  proved_at = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_at END,
  proved_by = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_by END
WHERE b.buyer_id = ANY(CAST(:buyers AS uuid[]))
RETURNING {_TOLD}
"""
_BLOCK = f"""
UPDATE buyers SET blocked = :blocked, updated_at = :now,
  newsletter = newsletter AND NOT :blocked, newsletter_asked = newsletter_asked AND NOT :blocked
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND blocked <> :blocked
RETURNING {_TOLD}
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

    def of_another_mailbox(self, email: str) -> "Correction":
        """Without the e-mail where it only spells the address on file in another way."""
        return replace(self, email=None, email_key=None) if self.email_key == mailbox_key(email) else self


async def order_of(tx: Tx, storefront: str | None, order: Reference) -> Any:
    """An order with its contact (`erased`: it is gone), or None. Agents (None) see any storefront's.

    `orders`: 2 where several share the contact.
    """
    found = await tx.execute(_ORDER, storefront=storefront, order_id=order.order_id, number=order.number)
    return found.one_or_none()


async def correct(
    tx: Tx,
    order_id: UUID,
    buyers: Sequence[UUID],
    correction: Correction,
    *,
    confirmed_by: str,
    identification: Mapping[str, Any] | None = None,
    trace: str | None,
) -> None:
    """Apply a correction to these contacts, whose rows are locked, and tell it. `order_id`: what was asked about."""
    values: Mapping[str, Any] = {
        name: getattr(correction, name) for name in ("name", "email", "email_key", "phone", "language")
    }
    rows = (await tx.execute(_CORRECT, buyers=sorted(buyers), now=tx.now, **values)).all()
    changes = [
        {
            "change_id": uuid7(),
            "order_id": order_id,
            "buyer_id": row.buyer_id,
            "fields": correction.fields,
            "confirmed_by": confirmed_by,
            "changed_at": tx.now,
            "identification": identification,
        }
        for row in rows
    ]
    await tx.insert(contact_changes, changes)
    _publish(tx, rows, trace)


async def set_blocked(tx: Tx, buyers: Sequence[UUID], *, blocked: bool, trace: str | None) -> None:
    """Keep the data and use them no longer, or use them again (PP 6.2). The rows are locked."""
    rows = (await tx.execute(_BLOCK, buyers=sorted(buyers), blocked=blocked, now=tx.now)).all()
    _publish(tx, rows, trace)


def _publish(tx: Tx, rows: Sequence[Any], trace: str | None) -> None:
    for row in rows:
        tx.publish(BuyerContact(**row._asdict(), updated_at=tx.now), trace=trace)
