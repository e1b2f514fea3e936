"""SQL of contacts: whose orders a mailbox has, and how it was proved that somebody reads it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

from ordering.contact.models import Correction, OrderContact
from ordering.contact.rules import Holder, Mailbox
from ordering.tables import contact_changes
from ordering.timeline.models import Reference
from shared.contracts import MailboxProved
from shared.database import Tx
from shared.ids import uuid7
from shared.values.email_address import mailbox_key

_FIND_ORDER = """
SELECT o.order_id, o.number, o.storefront, o.buyer_id, o.trace, b.buyer_id IS NULL AS erased,
  (SELECT count(*) FROM (SELECT 1 FROM orders s WHERE s.buyer_id = o.buyer_id LIMIT 2) n) AS orders
FROM orders o LEFT JOIN buyers b USING (buyer_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront)
  AND (o.order_id = :order_id OR o.number = :number)
"""
_PUBLISHED = "buyer_id, storefront, name, email, phone, language, company, newsletter, newsletter_asked, blocked"
#: Another address is another mailbox: it is not proved, and consent to newsletters does not move to it.
_CORRECT = f"""
UPDATE buyers b SET
  name = COALESCE(:name, b.name), email = COALESCE(:email, b.email), phone = COALESCE(:phone, b.phone),
  language = COALESCE(:language, b.language), updated_at = :now,
  company = CASE WHEN b.buyer_id = :own THEN COALESCE(CAST(:company AS jsonb), b.company) ELSE b.company END,
  mailbox_key = COALESCE(:email_key, b.mailbox_key),
  email_key = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.email_key ELSE b.buyer_id::text END,
  newsletter = b.newsletter AND CAST(:email_key AS text) IS NULL,
  proved_email = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_email END,
  proved_at = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_at END,
  proved_by = CASE WHEN CAST(:email_key AS text) IS NULL THEN b.proved_by END
WHERE b.buyer_id = ANY(CAST(:buyers AS uuid[]))
RETURNING {_PUBLISHED}
"""
_BUYER_OF = "SELECT buyer_id FROM orders WHERE order_id = :order"
_LAST_CHANGE = """
SELECT confirmed_by, changed_at FROM contact_changes WHERE order_id = :order ORDER BY changed_at DESC LIMIT 1
"""
_BLOCK = f"""
UPDATE buyers SET blocked = :blocked, updated_at = :now,
  newsletter = newsletter AND NOT :blocked, newsletter_asked = newsletter_asked AND NOT :blocked
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND blocked <> :blocked
RETURNING {_PUBLISHED}
"""
#: `proved_email` is the address that was proved. The previous release may change the address and leave the proof.
_IS_PROVED = "COALESCE(b.proved_email = b.email, false)"
_OWN = "SELECT storefront, email FROM buyers WHERE buyer_id = :buyer"
#: Rows of the previous release have the mailbox in `email_key`. Rows are locked in one order, to avoid deadlocks.
_HOLDERS = f"""
SELECT b.buyer_id, b.email, b.phone, {_IS_PROVED} AS proved, b.updated_at FROM buyers b
WHERE b.buyer_id = :buyer OR (b.storefront = :storefront AND (b.mailbox_key = :key OR b.email_key = :key))
ORDER BY b.buyer_id FOR UPDATE
"""
_PROVE = f"""
UPDATE buyers b SET proved_email = b.email, proved_at = :now, proved_by = :how
WHERE b.buyer_id = :buyer AND NOT {_IS_PROVED}
"""
_PROVED_BY_LINK = f"""
WITH locked AS (
  SELECT b.buyer_id FROM buyers b WHERE b.buyer_id = ANY(CAST(:buyers AS uuid[])) ORDER BY b.buyer_id FOR UPDATE)
UPDATE buyers b SET proved_email = b.email, proved_at = p.at, proved_by = 'link'
FROM unnest(CAST(:buyers AS uuid[]), CAST(:contacts AS timestamptz[]), CAST(:times AS timestamptz[]))
  AS p(buyer_id, contact_at, at) JOIN locked USING (buyer_id)
WHERE b.buyer_id = p.buyer_id AND b.updated_at = p.contact_at AND NOT {_IS_PROVED}
"""


async def find_order(tx: Tx, storefront: str | None, order: Reference) -> OrderContact | None:
    """An order with its contact, or None. A storefront sees its own orders; None (agents) sees all."""
    rows = await tx.execute(_FIND_ORDER, storefront=storefront, order_id=order.order_id, number=order.number)
    row = rows.one_or_none()
    if row is None:
        return None
    return OrderContact(
        row.order_id, row.number, row.storefront, row.buyer_id, row.trace, row.erased, is_shared=row.orders > 1
    )


async def lock_mailbox(tx: Tx, buyer_id: UUID) -> Mailbox | None:
    """The mailbox of this contact; its rows stay locked until the commit. None if the contact does not exist."""
    own_row = (await tx.execute(_OWN, buyer=buyer_id)).one_or_none()
    if own_row is None:
        return None
    key = mailbox_key(own_row.email)
    rows = (await tx.execute(_HOLDERS, buyer=buyer_id, storefront=own_row.storefront, key=key)).all()
    holders = {row.buyer_id: Holder(*row) for row in rows}
    own = holders.pop(buyer_id, None)
    if own is None:
        return None
    # The own address may have been corrected while this transaction waited for its row, so the key is computed again.
    locked_key = mailbox_key(own.email)
    return Mailbox(own, [holder for holder in holders.values() if mailbox_key(holder.email) == locked_key])


async def prove(tx: Tx, buyer_id: UUID, how: Literal["code"]) -> None:
    """Store that this contact's mailbox is proved; the first time stays. The row is locked already."""
    await tx.execute(_PROVE, buyer=buyer_id, how=how, now=tx.now)


async def prove_by_link(tx: Tx, proofs: Sequence[MailboxProved]) -> None:
    """Store that these contacts are proved, one proof for each buyer, unless the contact has changed since."""
    ordered = sorted(proofs, key=lambda proof: proof.buyer_id)
    await tx.execute(
        _PROVED_BY_LINK,
        buyers=[proof.buyer_id for proof in ordered],
        contacts=[proof.contact_at for proof in ordered],
        times=[proof.proved_at for proof in ordered],
    )


async def update_contacts(
    tx: Tx,
    order_id: UUID,
    buyers: Sequence[UUID],
    correction: Correction,
    *,
    confirmed_by: str,
    identification: Mapping[str, Any] | None,
) -> Sequence[Any]:
    """Correct these contacts and note which fields changed, without values. Returns the rows to publish.

    A company is corrected of the order of the request alone.
    """
    own = (await tx.execute(_BUYER_OF, order=order_id)).scalar()
    rows = (
        await tx.execute(
            _CORRECT,
            buyers=sorted(buyers),
            now=tx.now,
            name=correction.name,
            email=correction.email,
            email_key=correction.email_key,
            phone=correction.phone,
            language=correction.language,
            company=None if correction.company is None else correction.company.model_dump_json(),
            own=own,
        )
    ).all()
    changes = [
        {
            "change_id": uuid7(),
            "order_id": order_id,
            "buyer_id": row.buyer_id,
            "fields": [name for name in correction.fields if name != "company" or row.buyer_id == own],
            "confirmed_by": confirmed_by,
            "changed_at": tx.now,
            "identification": identification,
        }
        for row in rows
    ]
    await tx.insert(contact_changes, changes)
    return rows


async def last_change(tx: Tx, order_id: UUID) -> Any:
    """The last correction that this order's buyer or an agent made by way of this order, or None."""
    return (await tx.execute(_LAST_CHANGE, order=order_id)).one_or_none()


async def update_blocked(tx: Tx, buyers: Sequence[UUID], *, blocked: bool) -> Sequence[Any]:
    """Block or unblock these contacts. Returns the rows that changed, to publish."""
    return (await tx.execute(_BLOCK, buyers=sorted(buyers), blocked=blocked, now=tx.now)).all()
