"""SQL of codes that shops have sent again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from notifications.delivery import EmailKey, schedule
from notifications.resends.models import SHOP_RESENDS_A_DAY, NotResentError, Resend
from notifications.tables import shop_resends
from shared.database import Tx
from shared.ids import uuid7

_DAY = timedelta(days=1)
#: Whose idempotency keys those of agents are; no storefront has this name.
AGENTS = ""
_ORDER = """
SELECT order_id, order_number, storefront, buyer_id, revoked_at IS NULL AND expired_at IS NULL AS valid FROM orders
WHERE (CAST(:storefront AS text) IS NULL OR storefront = :storefront)
  AND (order_id = :order OR order_number = :number)
"""
_STORED = """
SELECT k.order_id, k.resend_id, k.requested_at, o.order_number FROM shop_resends k JOIN orders o USING (order_id)
WHERE k.storefront = :storefront AND k.idempotency_key = :key
"""
#: Locked before the order, as an erasure does: an email that is created beside an erasure would outlive it.
_LOCK_CONTACT = (
    "SELECT blocked FROM contacts WHERE buyer_id = :buyer AND erased_at IS NULL AND email IS NOT NULL FOR SHARE"
)
#: Requests of one order wait for each other here, so that they are counted one after the other.
_LOCK_ORDER = "SELECT 1 FROM orders WHERE order_id = :order FOR UPDATE"
_COUNT = "SELECT count(*) FROM shop_resends WHERE order_id = :order AND requested_at > :since"
_CODE = "SELECT state, trace FROM mails WHERE kind = 'qr' AND subject_id = :order"
_INSERT = """
INSERT INTO mails (kind, subject_id, order_id, buyer_id, facts, state, trace, created_at)
SELECT 'resend', :subject, order_id, buyer_id, facts, 'due', trace, :now FROM mails
WHERE kind = 'qr' AND subject_id = :order
"""


async def resend(tx: Tx, storefront: str | None, key: str, order_id: UUID | None, number: str | None) -> Resend:
    """Send the code of an order again, once for each idempotency key. Raises NotResentError.

    `storefront`: whose order it has to be; None: an agent's request, for an order of any shop.
    """
    order = (await tx.execute(_ORDER, storefront=storefront, order=order_id, number=number)).one_or_none()
    if order is None:
        raise NotResentError("unknown-order")
    keys_of = AGENTS if storefront is None else storefront
    contact = (await tx.execute(_LOCK_CONTACT, buyer=order.buyer_id)).first()
    await tx.execute(_LOCK_ORDER, order=order.order_id)
    stored = (await tx.execute(_STORED, storefront=keys_of, key=key)).one_or_none()
    if stored is not None:
        if stored.order_id != order.order_id:
            raise NotResentError("key-reused")
        return _answer(stored.resend_id, stored.order_id, stored.order_number, stored.requested_at)
    if contact is None:
        raise NotResentError("erased")
    if contact.blocked:
        raise NotResentError("blocked")
    mail = (await tx.execute(_CODE, order=order.order_id)).one_or_none()
    if mail is None or not order.valid:
        raise NotResentError("no-code")
    if mail.state in ("waiting", "due"):
        raise NotResentError("on-its-way")
    if (await tx.execute(_COUNT, order=order.order_id, since=tx.now - _DAY)).scalar() >= SHOP_RESENDS_A_DAY:
        raise NotResentError("limit")
    email = EmailKey("resend", uuid7())
    row = {
        "storefront": keys_of,
        "idempotency_key": key,
        "order_id": order.order_id,
        "resend_id": email.subject_id,
        "requested_at": tx.now,
    }
    if not await tx.insert(shop_resends, [row], returning="resend_id"):
        # The key was used for another order a moment ago, in a transaction that was not committed yet.
        raise NotResentError("key-reused")
    await tx.execute(_INSERT, subject=email.subject_id, order=order.order_id, now=tx.now)
    schedule(tx, email, order.buyer_id, mail.trace)
    return _answer(email.subject_id, order.order_id, order.order_number, tx.now)


def _answer(resend_id: UUID, order_id: UUID, order_number: str, requested_at: datetime) -> Resend:
    return Resend(
        resend_id=resend_id, order_id=order_id, order_number=order_number, requested_at=requested_at.astimezone(UTC)
    )
