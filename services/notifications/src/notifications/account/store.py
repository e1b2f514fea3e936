"""What the account page needs of the tables: an order behind a link, its code when it is asked for, a resend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from notifications.account.rules.timeline import Mailed
from notifications.delivery import Contact, qr_delivered, schedule
from notifications.emails import BadLinkError, GoneError, Links, ProfileWithReceipt
from notifications.newsletters import agree
from notifications.settings import Settings
from shared.contracts import MailboxProved, OrderEvent
from shared.database import Database, Tx
from shared.ids import uuid7

#: A code that works.
_ALIVE = "o.revoked_at IS NULL AND o.expired_at IS NULL"
_ORDER = """
SELECT o.*, c.name, c.email, c.language, c.erased_at, c.blocked,
  c.newsletter_asked AND NOT c.blocked AND NOT EXISTS (
    SELECT 1 FROM contacts s WHERE s.storefront = c.storefront AND s.mailbox_key = c.mailbox_key AND s.newsletter
      AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions n WHERE n.buyer_id = s.buyer_id)) AS news
FROM orders o LEFT JOIN contacts c USING (buyer_id)
WHERE o.order_id = :order
"""
#: Once for each contact: a corrected one has to be proved anew.
_PROVED = """
UPDATE contacts SET proved_contact_at = updated_at
WHERE buyer_id = :buyer AND email = :email AND proved_contact_at IS DISTINCT FROM updated_at
RETURNING updated_at
"""
_MAILS = """
SELECT kind, state, facts, created_at, settled_at, bounced_at, smtp_code, enhanced_code
FROM mails WHERE order_id = :order ORDER BY created_at
"""
_CODE = f"""
SELECT m.facts, m.trace, o.delivered_at FROM mails m JOIN orders o ON o.order_id = m.order_id
WHERE m.kind = 'qr' AND m.subject_id = :order AND {_ALIVE} FOR UPDATE OF o
"""
#: The row is locked: nobody else can be the first in the meantime.
_SHOWN = """
UPDATE orders SET shown_at = COALESCE(shown_at, :now), channel = COALESCE(channel, 'account'),
                  delivered_at = COALESCE(delivered_at, :now)
WHERE order_id = :order
"""
_AGAIN = f"""
UPDATE orders o SET resends = o.resends + 1, resent_at = :now
FROM mails m
WHERE o.order_id = :order AND m.kind = 'qr' AND m.subject_id = o.order_id AND {_ALIVE}
  AND m.state NOT IN ('waiting', 'due') AND m.settled_at < :before
  AND o.resends < :most AND (o.resent_at IS NULL OR o.resent_at < :before)
RETURNING o.buyer_id, m.trace
"""
#: Locked before the order, as an erasure does: a mail that is made beside one would outlive it.
_STAYS = "SELECT 1 FROM contacts WHERE buyer_id = :buyer AND erased_at IS NULL FOR SHARE"
_USED_UP = "SELECT resends >= :most FROM orders WHERE order_id = :order"
_RESEND = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT 'resend', :subject, order_id, buyer_id, facts, 'due', trace, :now FROM mails
WHERE kind = 'qr' AND subject_id = :order
"""
#: What an order's page would show, in short: another text means that something has changed.
_STATES = """
SELECT o.order_id, md5(concat_ws('|', o.*, (
  SELECT string_agg(concat_ws(':', m.kind, m.state), ',' ORDER BY m.kind, m.subject_id)
  FROM mails m WHERE m.order_id = o.order_id))) AS state
FROM orders o WHERE o.order_id = ANY(CAST(:orders AS uuid[]))
"""

Resent = Literal["resent", "wait", "limit"]


@dataclass(frozen=True, slots=True)
class Opened:
    """An order behind a link that is good: a row of `orders`, its mails, whom it belongs to, its state in short."""

    order: Mapping[str, Any]
    mails: Sequence[Mailed]
    contact: Contact
    state: str
    #: The buyer's data are blocked (PP 6.2).
    blocked: bool = False
    #: The order asked for newsletters, and its mailbox gets none.
    news: bool = False

    @property
    def order_id(self) -> UUID:
        return UUID(str(self.order["order_id"]))

    @property
    def has_code(self) -> bool:
        """Whether there is a code that works."""
        alive = self.order["revoked_at"] is None and self.order["expired_at"] is None
        return alive and any(mail.kind == "qr" for mail in self.mails)


class AccountStore:
    """The order behind a link."""

    def __init__(self, database: Database, links: Links, settings: Settings) -> None:
        self._database = database
        self._links = links
        self._most = settings.resend_limit
        self._gap = timedelta(seconds=settings.resend_gap_seconds)

    async def open(self, token: str) -> Opened:
        """Read only. Raises BadLinkError."""
        async with self._database.reading() as tx:
            return await self._open(tx, token)

    async def used(self, token: str) -> None:
        """Somebody pressed a button of the page: who reads the mailbox that its link was mailed to. Tells it, once.

        Raises BadLinkError.
        """
        async with self._database.transaction() as tx:
            opened = await self._open(tx, token)
            buyer = opened.order["buyer_id"]
            row = (await tx.execute(_PROVED, buyer=buyer, email=opened.contact.email)).one_or_none()
            if row is None:
                return
            about = {name: opened.order[name] for name in OrderEvent.model_fields}
            proved = MailboxProved(**about, how="link", contact_at=row.updated_at, proved_at=tx.now)
            tx.publish(proved, trace=opened.order["trace"])

    async def agree(self, token: str) -> None:
        """The mailbox agrees to newsletters, which its order asked for (PP 4.6). Raises BadLinkError."""
        async with self._database.transaction() as tx:
            opened = await self._open(tx, token)
            if opened.news:
                await agree(tx, opened.order["buyer_id"], opened.contact.email)

    async def show(self, token: str) -> tuple[Opened, ProfileWithReceipt | None]:
        """The code, because the buyer pressed the button for it: a delivery, if it is the first (PO 3.4).

        None where there is no code that works. Raises BadLinkError.
        """
        async with self._database.transaction() as tx:
            opened = await self._open(tx, token)
            row = (await tx.execute(_CODE, order=opened.order_id)).one_or_none()
            if row is None:
                return opened, None
            if not row.facts:  # erased since the order was read
                raise GoneError("the buyer was forgotten")
            code = ProfileWithReceipt.model_validate(row.facts)
            await tx.execute(_SHOWN, order=opened.order_id, now=tx.now)
            if row.delivered_at is None:
                tx.publish(qr_delivered(code, "account", tx.now), trace=row.trace)
            return await self._open(tx, token), code

    async def resend(self, token: str) -> Resent:
        """Send the code again, within limits. Raises BadLinkError."""
        async with self._database.transaction() as tx:
            opened = await self._open(tx, token)
            order = opened.order_id
            if (await tx.execute(_STAYS, buyer=opened.order["buyer_id"])).first() is None:
                raise GoneError("the buyer was forgotten")
            row = (
                await tx.execute(_AGAIN, order=order, now=tx.now, before=tx.now - self._gap, most=self._most)
            ).one_or_none()
            if row is None:
                used_up = (await tx.execute(_USED_UP, order=order, most=self._most)).scalar()
                return "limit" if used_up else "wait"
            subject = uuid7()
            await tx.execute(_RESEND, subject=subject, order=order, now=tx.now)
            schedule(tx, "resend", subject, row.buyer_id, row.trace)
            return "resent"

    async def states(self, orders: Sequence[UUID]) -> dict[UUID, str]:
        """How these orders stand, in short."""
        async with self._database.reading() as tx:
            return {row.order_id: row.state for row in await tx.execute(_STATES, orders=sorted(orders))}

    async def _open(self, tx: Tx, token: str) -> Opened:
        order_id = self._links.order_of(token, tx.now)
        row = (await tx.execute(_ORDER, order=order_id)).one_or_none()
        if row is not None and row.erased_at is not None:
            raise GoneError("the buyer was forgotten")
        if row is None or row.email is None:
            raise BadLinkError("no such order")
        self._links.check(token, row.email)
        mails = [Mailed(**mail) for mail in (await tx.execute(_MAILS, order=order_id)).mappings()]
        state = (await tx.execute(_STATES, orders=[order_id])).one().state
        contact = Contact(row.name, row.email, row.language)
        return Opened(row._asdict(), mails, contact, state, blocked=row.blocked, news=bool(row.news))
