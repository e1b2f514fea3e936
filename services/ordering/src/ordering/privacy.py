"""Privacy requests (PP 6.2): export, block, erase; and the proof that an erasure was done everywhere."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from ordering.tables import erasures, privacy_requests
from shared.contracts import BuyerContact, BuyerErased, BuyerErasureRequested
from shared.database import Tx
from shared.messaging.consumer import Handler, Received

Kind = Literal["export", "block", "erase"]
#: Every room that may hold something of a buyer has to say that it does not any more.
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
_KEPT = ("orders, their facts and the accepted document versions, without contact data: accounting and tax law",)
#: Later than `segment.ms` of the contacts' topic; see shared/messaging/topics.py.
REPEAT_TOMBSTONE, _REPEAT_AFTER = "repeat_tombstone", timedelta(minutes=65)

_CONFIRM = """
UPDATE privacy_requests SET confirmed_at = :now, confirmed_by = :confirmed_by
WHERE request_id = :id AND confirmed_at IS NULL RETURNING buyer_id, storefront, kind, trace
"""
_FORGET = (
    "DELETE FROM session_records WHERE order_id IN (SELECT order_id FROM orders WHERE buyer_id = :buyer)",
    # The key of a submission stays, so that a replay cannot bring the order back; what it was compared with goes.
    "UPDATE submissions SET body_hash = '' WHERE order_id IN (SELECT order_id FROM orders WHERE buyer_id = :buyer)",
    """DELETE FROM dead_letters WHERE topic = 'storefront.order-submitted' AND key IN (
         SELECT s.storefront || ':' || s.submission_id FROM submissions s JOIN orders o USING (order_id)
         WHERE o.buyer_id = :buyer)""",
    "DELETE FROM dead_letters WHERE topic = 'ordering.buyer-contact' AND key = CAST(:buyer AS text)",
    # What has not left yet must not follow the tombstone.
    "DELETE FROM outbox WHERE topic = 'ordering.buyer-contact' AND key = CAST(:buyer AS text)",
    "UPDATE confirmations SET payload = NULL WHERE buyer_id = :buyer",
    "DELETE FROM buyers WHERE buyer_id = :buyer",
)
_FIND = """
SELECT r.request_id, r.order_id, r.buyer_id, r.kind, r.requested_at, r.confirmed_at, r.confirmed_by,
  c.channel, c.expires_at
FROM privacy_requests r LEFT JOIN confirmations c ON c.confirmation_id = r.request_id
WHERE r.request_id = :id AND r.storefront = :storefront
"""
_SAID = "SELECT service, kept, erased_at FROM erasures WHERE buyer_id = :buyer"
_HELD = {
    "buyer": """SELECT name, email, phone, language, newsletter, blocked, updated_at FROM buyers
                WHERE buyer_id = :buyer""",
    "orders": """SELECT order_id, number::text AS number, storefront, kind, iccid, plan, price, currency, offer_version,
                   privacy_version, placed_at FROM orders WHERE buyer_id = :buyer ORDER BY number""",
    "facts": """SELECT o.number::text AS order_number, f.fact, f.at, f.detail FROM order_facts f
                JOIN orders o USING (order_id) WHERE o.buyer_id = :buyer ORDER BY f.at""",
    "sessions": """SELECT o.number::text AS order_number, s.consented_at, s.ip, s.user_agent, s.referrer, s.keep_until
                   FROM session_records s JOIN orders o USING (order_id) WHERE o.buyer_id = :buyer""",
    "contact_changes": """SELECT o.number::text AS order_number, c.fields, c.confirmed_by, c.changed_at
                          FROM contact_changes c JOIN orders o USING (order_id) WHERE o.buyer_id = :buyer""",
    "privacy_requests": """SELECT kind, requested_at, confirmed_at, confirmed_by FROM privacy_requests
                           WHERE buyer_id = :buyer ORDER BY requested_at""",
}


async def open_request(
    tx: Tx, request_id: UUID, kind: Kind, *, order_id: UUID, buyer_id: UUID, storefront: str, trace: str | None
) -> None:
    """Note a request; nothing happens before it is confirmed."""
    row = {
        "request_id": request_id,
        "buyer_id": buyer_id,
        "order_id": order_id,
        "storefront": storefront,
        "kind": kind,
        "requested_at": tx.now,
        "trace": trace,
    }
    await tx.insert(privacy_requests, [row])


async def confirm(tx: Tx, request_id: UUID, *, confirmed_by: str) -> Any:
    """The confirmed request (buyer_id, storefront, kind, trace), or None where it was confirmed before."""
    return (await tx.execute(_CONFIRM, id=request_id, confirmed_by=confirmed_by, now=tx.now)).one_or_none()


async def erase(tx: Tx, buyer_id: UUID, storefront: str, request_id: UUID, *, trace: str | None) -> None:
    """Forget a buyer here, and have everybody forget: the request as a fact, and the tombstone of the contact."""
    for statement in _FORGET:
        await tx.execute(statement, buyer=buyer_id)
    tx.publish(
        BuyerErasureRequested(buyer_id=buyer_id, storefront=storefront, request_id=request_id, requested_at=tx.now),
        trace=trace,
    )
    tx.erase(BuyerContact, str(buyer_id), trace=trace)
    tx.schedule(REPEAT_TOMBSTONE, str(buyer_id), due_at=tx.now + _REPEAT_AFTER, trace=trace)
    own = {"buyer_id": buyer_id, "service": "ordering", "kept": list(_KEPT), "erased_at": tx.now}
    await tx.insert(erasures, [own])


def erased_by(service: str) -> Handler:
    """A handler that keeps what a service said of its erasures; the first telling counts."""

    async def handle(tx: Tx, batch: Sequence[Received[BuyerErased]]) -> None:
        rows = {
            one.event.buyer_id: {
                "buyer_id": one.event.buyer_id,
                "service": service,
                "kept": list(one.event.kept),
                "erased_at": one.event.erased_at,
            }
            for one in batch
        }
        await tx.insert(erasures, [rows[buyer] for buyer in sorted(rows)])

    return handle


async def find(tx: Tx, storefront: str, request_id: UUID) -> tuple[Any, list[Any]] | None:
    """A request of that storefront and what the services said about its buyer; None where there is none."""
    row = (await tx.execute(_FIND, id=request_id, storefront=storefront)).one_or_none()
    if row is None:
        return None
    said = (await tx.execute(_SAID, buyer=row.buyer_id)).all() if row.kind == "erase" else []
    return row, said


async def held(tx: Tx, buyer_id: UUID) -> dict[str, Any]:
    """Everything that ordering holds of a buyer, by kind, as JSON-ready rows."""
    return {name: (await tx.execute(sql, buyer=buyer_id)).mappings() for name, sql in _HELD.items()}
