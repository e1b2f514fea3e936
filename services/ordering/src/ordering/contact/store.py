"""Mailboxes in the database: whose orders they have, and how it is known that somebody reads them."""

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from ordering.contact.rules import Holder, Mailbox
from shared.contracts import MailboxProved
from shared.database import Tx
from shared.messaging.consumer import Received
from shared.values.email_address import mailbox_key

#: `proved_email` is the address that was proved: the release before knows no proofs and may change the address alone.
IS_PROVED = "COALESCE(b.proved_email = b.email, false)"
_OWN = "SELECT storefront, email FROM buyers WHERE buyer_id = :buyer"
#: Rows of the release before have the mailbox in `email_key`. Locked in one order, so that nobody waits in a circle.
_HOLDERS = f"""
SELECT b.buyer_id, b.email, b.phone, {IS_PROVED} AS proved FROM buyers b
WHERE b.buyer_id = :buyer OR (b.storefront = :storefront AND (b.mailbox_key = :key OR b.email_key = :key))
ORDER BY b.buyer_id FOR UPDATE
"""
_PROVE = f"""
UPDATE buyers b SET proved_email = b.email, proved_at = :now, proved_by = :how
WHERE b.buyer_id = :buyer AND NOT {IS_PROVED}
"""
_PROVED_BY_LINK = f"""
WITH known AS (
  SELECT b.buyer_id FROM buyers b WHERE b.buyer_id = ANY(CAST(:buyers AS uuid[])) ORDER BY b.buyer_id FOR UPDATE)
UPDATE buyers b SET proved_email = b.email, proved_at = p.at, proved_by = 'link'
FROM unnest(CAST(:buyers AS uuid[]), CAST(:contacts AS timestamptz[]), CAST(:times AS timestamptz[]))
  AS p(buyer_id, contact_at, at) JOIN known USING (buyer_id)
WHERE b.buyer_id = p.buyer_id AND b.updated_at = p.contact_at AND NOT {IS_PROVED}
"""


async def lock(tx: Tx, buyer_id: UUID) -> Mailbox | None:
    """The mailbox of this contact, as nobody changes it before the commit; None where the contact is gone."""
    own = (await tx.execute(_OWN, buyer=buyer_id)).one_or_none()
    if own is None:
        return None
    key = mailbox_key(own.email)
    rows = (await tx.execute(_HOLDERS, buyer=buyer_id, storefront=own.storefront, key=key)).all()
    holders = {row.buyer_id: Holder(row.buyer_id, row.email, row.phone, row.proved) for row in rows}
    found = holders.pop(buyer_id, None)
    if found is None:
        return None
    # The address itself decides, for the own one may have been corrected while its row was waited for.
    same = mailbox_key(found.email)
    return Mailbox(found, [holder for holder in holders.values() if mailbox_key(holder.email) == same])


async def prove(tx: Tx, buyer_id: UUID, how: Literal["code"]) -> None:
    """What was mailed to this contact's address has come back; the first time counts. The row is locked already."""
    await tx.execute(_PROVE, buyer=buyer_id, how=how, now=tx.now)


async def mailbox_proved(tx: Tx, batch: Sequence[Received[MailboxProved]]) -> None:
    """Links that were used prove the contacts that they were made for, unless these have changed since."""
    first: dict[UUID, Any] = {}
    for received in batch:
        event = received.event
        if event.buyer_id not in first or first[event.buyer_id].contact_at < event.contact_at:
            first[event.buyer_id] = event
    buyers = sorted(first)
    await tx.execute(
        _PROVED_BY_LINK,
        buyers=buyers,
        contacts=[first[buyer].contact_at for buyer in buyers],
        times=[first[buyer].proved_at for buyer in buyers],
    )
