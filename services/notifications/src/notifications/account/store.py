"""Reads the order behind a link of the account page, and stores what its buttons do."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Literal
from uuid import UUID

from notifications.account.models import AccountOrder, EmailRecord
from notifications.delivery import EmailKey, qr_delivered, schedule, switch_off, switch_on
from notifications.emails import BadLinkError, GoneError, Links, ProfileWithReceipt
from notifications.newsletters import agree
from notifications.settings import Settings
from shared.contracts import MailboxProved, OrderEvent
from shared.database import Database, Tx
from shared.ids import uuid7

#: How many links to an order's page may be requested from the page that `account_url` leads to, in 24 hours.
_LINKS_A_DAY = 5
_DAY = timedelta(days=1)
#: The activation code works.
_VALID = "o.revoked_at IS NULL AND o.expired_at IS NULL"
_ORDER = """
SELECT o.*, c.name, c.email, c.language, c.erased_at, c.blocked,
  c.newsletter_asked AND NOT c.blocked AND NOT EXISTS (
    SELECT 1 FROM contacts s WHERE s.storefront = c.storefront AND s.mailbox_key = c.mailbox_key AND s.newsletter
      AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions n WHERE n.buyer_id = s.buyer_id)) AS asks_for_consent,
  EXISTS (SELECT 1 FROM reminders_off f WHERE f.buyer_id = c.buyer_id) OR EXISTS (
    SELECT 1 FROM contacts s JOIN reminders_off f USING (buyer_id)
    WHERE s.storefront = c.storefront AND s.mailbox_key = c.mailbox_key) AS reminders_off
FROM orders o LEFT JOIN contacts c USING (buyer_id)
WHERE o.order_id = :order
"""
#: Once for each contact: a corrected one is proved again.
_PROVE_MAILBOX = """
UPDATE contacts SET proved_contact_at = updated_at
WHERE buyer_id = :buyer AND email = :email AND proved_contact_at IS DISTINCT FROM updated_at
RETURNING updated_at
"""
_EMAILS = """
SELECT kind, state, facts, created_at, settled_at, bounced_at, smtp_code, enhanced_code
FROM mails WHERE order_id = :order ORDER BY created_at
"""
_CODE = f"""
SELECT m.facts, m.trace, o.delivered_at FROM mails m JOIN orders o ON o.order_id = m.order_id
WHERE m.kind = 'qr' AND m.subject_id = :order AND {_VALID} FOR UPDATE OF o
"""
#: `_CODE` has locked the row: no other delivery can become the first one now.
_MARK_SHOWN = """
UPDATE orders SET shown_at = COALESCE(shown_at, :now), channel = COALESCE(channel, 'account'),
                  delivered_at = COALESCE(delivered_at, :now)
WHERE order_id = :order
"""
_COUNT_RESEND = f"""
UPDATE orders o SET resends = o.resends + 1, resent_at = :now
FROM mails m
WHERE o.order_id = :order AND m.kind = 'qr' AND m.subject_id = o.order_id AND {_VALID}
  AND m.state NOT IN ('waiting', 'due') AND m.settled_at < :before
  AND o.resends < :most AND (o.resent_at IS NULL OR o.resent_at < :before)
RETURNING o.buyer_id, m.trace
"""
#: Locked before the order, as an erasure does: an email that is created beside an erasure would outlive it.
_LOCK_CONTACT = "SELECT 1 FROM contacts WHERE buyer_id = :buyer AND erased_at IS NULL FOR SHARE"
_USED_UP = "SELECT resends >= :most FROM orders WHERE order_id = :order"
_INSERT_RESEND = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT 'resend', :subject, order_id, buyer_id, facts, 'due', trace, :now FROM mails
WHERE kind = 'qr' AND subject_id = :order
"""
_ORDER_OF_SHOP = "SELECT buyer_id, trace FROM orders WHERE order_id = :order AND storefront = :storefront"
#: Paid orders of one mailbox, the newest first.
_ORDERS_OF_MAILBOX = """
SELECT o.order_id FROM contacts c JOIN orders o USING (buyer_id)
WHERE c.storefront = :storefront AND c.mailbox_key = :mailbox AND o.paid_at IS NOT NULL
ORDER BY o.paid_at DESC, o.order_id LIMIT 3
"""
#: Requests of one order wait for each other here, so that they are counted one after the other.
_LOCK_ORDER = "SELECT 1 FROM orders WHERE order_id = :order FOR UPDATE"
_RECENT_LINKS = """
SELECT count(*) AS sent, max(created_at) AS last_at FROM mails
WHERE order_id = :order AND kind = 'link' AND created_at > :since
"""
_INSERT_LINK = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT 'link', :subject, order_id, buyer_id, jsonb_build_object('order_id', order_id, 'order_number', order_number,
       'storefront', storefront, 'buyer_id', buyer_id), 'due', trace, :now FROM orders WHERE order_id = :order
"""
#: A digest of what an order's page shows.
_STATES = """
SELECT o.order_id, md5(concat_ws('|', o.*, (
  SELECT string_agg(concat_ws(':', m.kind, m.state), ',' ORDER BY m.kind, m.subject_id)
  FROM mails m WHERE m.order_id = o.order_id))) AS state
FROM orders o WHERE o.order_id = ANY(CAST(:orders AS uuid[]))
"""

ResendResult = Literal["resent", "wait", "limit"]


class AccountStore:
    """Reads and changes the order behind a link."""

    def __init__(self, database: Database, links: Links, settings: Settings) -> None:
        self._database = database
        self._links = links
        self._resend_limit = settings.resend_limit
        self._resend_gap = timedelta(seconds=settings.resend_gap_seconds)

    async def open(self, token: str) -> AccountOrder:
        """Read the order. Raises BadLinkError."""
        async with self._database.reading() as tx:
            return await self._open(tx, token)

    async def prove_mailbox(self, token: str) -> None:
        """Publish MailboxProved, once: a button of the page was pressed, so the mailbox of its link is read.

        Raises BadLinkError.
        """
        async with self._database.transaction() as tx:
            order = await self._open(tx, token)
            buyer = order.row["buyer_id"]
            proved = (await tx.execute(_PROVE_MAILBOX, buyer=buyer, email=order.email)).one_or_none()
            if proved is None:
                return
            fields = {name: order.row[name] for name in OrderEvent.model_fields}
            event = MailboxProved(**fields, how="link", contact_at=proved.updated_at, proved_at=tx.now)
            tx.publish(event, trace=order.row["trace"])

    async def agree_to_newsletters(self, token: str) -> None:
        """Store the mailbox's consent to newsletters, which its order asked for (PP 4.6). Raises BadLinkError."""
        async with self._database.transaction() as tx:
            order = await self._open(tx, token)
            if order.asks_for_consent:
                await agree(tx, order.row["buyer_id"], order.email)

    async def switch_reminders(self, token: str, *, on: bool) -> None:
        """Switch reminders about the mailbox's eSIMs on or off. Raises BadLinkError."""
        async with self._database.transaction() as tx:
            order = await self._open(tx, token)
            await (switch_on if on else switch_off)(tx, order.row["buyer_id"])

    async def show_code(self, token: str) -> tuple[AccountOrder, ProfileWithReceipt | None]:
        """The code, because the buyer pressed the button for it: a delivery, if it is the first one (PO 3.4).

        None if there is no code that works. Raises BadLinkError.
        """
        async with self._database.transaction() as tx:
            order = await self._open(tx, token)
            row = (await tx.execute(_CODE, order=order.order_id)).one_or_none()
            if row is None:
                return order, None
            if not row.facts:  # erased since the order was read
                raise GoneError("the buyer was erased")
            profile = ProfileWithReceipt.model_validate(row.facts)
            await tx.execute(_MARK_SHOWN, order=order.order_id, now=tx.now)
            if row.delivered_at is None:
                tx.publish(qr_delivered(profile, "account", tx.now), trace=row.trace)
            return await self._open(tx, token), profile

    async def resend(self, token: str) -> ResendResult:
        """Send the code again, within limits. Raises BadLinkError."""
        async with self._database.transaction() as tx:
            order = await self._open(tx, token)
            if (await tx.execute(_LOCK_CONTACT, buyer=order.row["buyer_id"])).first() is None:
                raise GoneError("the buyer was erased")
            before = tx.now - self._resend_gap
            row = (
                await tx.execute(
                    _COUNT_RESEND, order=order.order_id, now=tx.now, before=before, most=self._resend_limit
                )
            ).one_or_none()
            if row is None:
                used_up = (await tx.execute(_USED_UP, order=order.order_id, most=self._resend_limit)).scalar()
                return "limit" if used_up else "wait"
            email = EmailKey("resend", uuid7())
            await tx.execute(_INSERT_RESEND, subject=email.subject_id, order=order.order_id, now=tx.now)
            schedule(tx, email, row.buyer_id, row.trace)
            return "resent"

    async def send_link(self, storefront: str, order_id: UUID) -> None:
        """Send a link to the order's page to the order's mailbox, within limits. No caller learns whether it was sent.

        Nobody is kept out by the limits: each request that counts has put a link that works into the mailbox.
        """
        async with self._database.transaction() as tx:
            order = (await tx.execute(_ORDER_OF_SHOP, order=order_id, storefront=storefront)).one_or_none()
            if order is None or (await tx.execute(_LOCK_CONTACT, buyer=order.buyer_id)).first() is None:
                return
            await tx.execute(_LOCK_ORDER, order=order_id)
            recent = (await tx.execute(_RECENT_LINKS, order=order_id, since=tx.now - _DAY)).one()
            if recent.sent >= _LINKS_A_DAY or (recent.sent and recent.last_at > tx.now - self._resend_gap):
                return
            email = EmailKey("link", uuid7())
            await tx.execute(_INSERT_LINK, subject=email.subject_id, order=order_id, now=tx.now)
            schedule(tx, email, order.buyer_id, order.trace)

    async def send_links(self, storefront: str, mailbox: str) -> None:
        """Send links to the newest orders of a mailbox (its key) there, within the limits of each."""
        async with self._database.reading() as tx:
            found = await tx.execute(_ORDERS_OF_MAILBOX, storefront=storefront, mailbox=mailbox)
            orders = found.scalars()
        for order_id in orders:
            await self.send_link(storefront, order_id)

    async def states(self, orders: Sequence[UUID]) -> dict[UUID, str]:
        """The state of each order, as a text that changes when anything on its page does."""
        async with self._database.reading() as tx:
            return {row.order_id: row.state for row in await tx.execute(_STATES, orders=sorted(orders))}

    async def _open(self, tx: Tx, token: str) -> AccountOrder:
        order_id = self._links.order_of(token, tx.now)
        row = (await tx.execute(_ORDER, order=order_id)).one_or_none()
        if row is not None and row.erased_at is not None:
            raise GoneError("the buyer was erased")
        if row is None or row.email is None:
            raise BadLinkError("no such order")
        self._links.check(token, row.email)
        emails = [EmailRecord(**email) for email in (await tx.execute(_EMAILS, order=order_id)).mappings()]
        state = (await tx.execute(_STATES, orders=[order_id])).one().state
        return AccountOrder(
            row._asdict(),
            emails,
            row.email,
            row.language,
            state,
            blocked=row.blocked,
            asks_for_consent=bool(row.asks_for_consent),
            reminders_off=bool(row.reminders_off),
        )
