"""Privacy requests (PP 6.2): export, block, erase; and the proof that an erasure was done everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from ordering.contact import actions as contacts
from ordering.contact.rules import Mailbox
from ordering.tables import erasures, privacy_requests, request_buyers
from shared.contracts import BuyerContact, BuyerErased, BuyerErasureRequested
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Handler, Received

Kind = Literal["export", "block", "unblock", "erase"]
#: Every room that may hold something of a buyer has to say that it does not any more.
SERVICES = ("ordering", "payments", "provisioning", "notifications", "refunds")
_KEPT = ("orders, their facts and the accepted document versions, without contact data: accounting and tax law",)
#: Later than `segment.ms` of the contacts' topic; see shared/messaging/topics.py.
REPEAT_TOMBSTONE, _REPEAT_AFTER = "repeat_tombstone", timedelta(minutes=65)

_CONFIRM = """
UPDATE privacy_requests SET confirmed_at = :now, confirmed_by = :confirmed_by
WHERE request_id = :id AND confirmed_at IS NULL RETURNING buyer_id, storefront, kind, trace
"""
#: Each is run with `:buyers`.
_FORGET = (
    """DELETE FROM session_records WHERE order_id IN (
         SELECT order_id FROM orders WHERE buyer_id = ANY(CAST(:buyers AS uuid[])))""",
    # The key of a submission stays, so that a replay cannot bring the order back; what it was compared with goes.
    """UPDATE submissions SET body_hash = '' WHERE order_id IN (
         SELECT order_id FROM orders WHERE buyer_id = ANY(CAST(:buyers AS uuid[])))""",
    """DELETE FROM dead_letters d USING submissions s JOIN orders o USING (order_id)
       WHERE o.buyer_id = ANY(CAST(:buyers AS uuid[])) AND d.key = s.storefront || ':' || s.submission_id
         AND d.topic IN ('storefront.order-submitted', 'storefront.' || s.storefront || '.orders')""",
    """DELETE FROM dead_letters WHERE topic = 'ordering.buyer-contact'
         AND key = ANY(CAST(:buyers AS uuid[])::text[])""",
    # What has not left yet must not follow the tombstone.
    "DELETE FROM outbox WHERE topic = 'ordering.buyer-contact' AND key = ANY(CAST(:buyers AS uuid[])::text[])",
    "UPDATE confirmations SET payload = NULL, contact_hash = NULL WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    "DELETE FROM buyers WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
)
_FIND = """
SELECT r.request_id, r.order_id, r.buyer_id, r.kind, r.requested_at, r.confirmed_at, r.confirmed_by, r.identification,
  ARRAY(SELECT b.buyer_id FROM privacy_request_buyers b WHERE b.request_id = r.request_id ORDER BY 1) AS reached
FROM privacy_requests r
WHERE r.request_id = :id AND (CAST(:storefront AS text) IS NULL OR r.storefront = :storefront)
"""
#: A service has erased a mailbox when it has erased every buyer of it.
_SAID = """
SELECT service, max(erased_at) AS erased_at, jsonb_agg(kept) AS kept FROM erasures
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) GROUP BY service HAVING count(*) = :buyers_in_all
"""
_THEIRS = "buyer_id = ANY(CAST(:buyers AS uuid[]))"
_HELD = {
    "buyer": f"""
SELECT name, email, phone, language, newsletter, newsletter_asked, blocked, updated_at, proved_at, proved_by FROM buyers
WHERE {_THEIRS}
""",
    "orders": f"""
SELECT order_id, number::text AS number, storefront, kind, iccid, plan, price, currency, offer_version, privacy_version,
  placed_at FROM orders
WHERE {_THEIRS} ORDER BY number
""",
    "facts": f"""
SELECT o.number::text AS order_number, f.fact, f.at, f.detail FROM order_facts f JOIN orders o USING (order_id)
WHERE o.{_THEIRS} ORDER BY f.at
""",
    "sessions": f"""
SELECT o.number::text AS order_number, s.consented_at, s.ip, s.user_agent, s.referrer, s.keep_until
FROM session_records s JOIN orders o USING (order_id) WHERE o.{_THEIRS}
""",
    "contact_changes": f"""
SELECT o.number::text AS order_number, c.fields, c.confirmed_by, c.identification, c.changed_at
FROM contact_changes c JOIN orders o USING (order_id) WHERE o.{_THEIRS}
""",
    "privacy_requests": f"""
SELECT kind, requested_at, confirmed_at, confirmed_by, identification FROM privacy_requests
WHERE {_THEIRS} ORDER BY requested_at
""",
}


async def open_request(
    tx: Tx,
    request_id: UUID,
    kind: Kind,
    *,
    order_id: UUID,
    buyer_id: UUID,
    storefront: str,
    identification: Mapping[str, Any] | None = None,
    trace: str | None,
) -> None:
    """Note a request; nothing happens before it is confirmed."""
    row = {
        "request_id": request_id,
        "buyer_id": buyer_id,
        "order_id": order_id,
        "storefront": storefront,
        "kind": kind,
        "requested_at": tx.now,
        "identification": identification,
        "trace": trace,
    }
    await tx.insert(privacy_requests, [row])


async def carry_out(tx: Tx, request_id: UUID, mailbox: Mailbox, *, confirmed_by: str) -> None:
    """Confirm a request, once, and do what it asks for. The mailbox is locked; whom it reaches is written down now."""
    request = (await tx.execute(_CONFIRM, id=request_id, confirmed_by=confirmed_by, now=tx.now)).one_or_none()
    if request is None:
        return
    buyers = mailbox.reach("block" if request.kind == "unblock" else request.kind)
    await tx.insert(request_buyers, [{"request_id": request_id, "buyer_id": buyer} for buyer in sorted(buyers)])
    match request.kind:
        case "block" | "unblock":
            await contacts.set_blocked(tx, buyers, blocked=request.kind == "block", trace=request.trace)
        case "erase":
            await _erase(tx, buyers, request.storefront, request_id, trace=request.trace)


async def _erase(tx: Tx, buyers: Sequence[UUID], storefront: str, request_id: UUID, *, trace: str | None) -> None:
    """Forget buyers here, and have everybody forget: the request as a fact, and the tombstone of the contact."""
    for statement in _FORGET:
        await tx.execute(statement, buyers=sorted(buyers))
    for buyer_id in buyers:
        # Each buyer is erased, confirmed and watched apart; the first one stands for the request.
        part = request_id if buyer_id == buyers[0] else uuid_for("erasure", str(request_id), str(buyer_id))
        tx.publish(
            BuyerErasureRequested(buyer_id=buyer_id, storefront=storefront, request_id=part, requested_at=tx.now),
            trace=trace,
        )
        tx.erase(BuyerContact, str(buyer_id), trace=trace)
        tx.schedule(REPEAT_TOMBSTONE, str(buyer_id), due_at=tx.now + _REPEAT_AFTER, trace=trace)
    own = [
        {"buyer_id": buyer_id, "service": "ordering", "kept": list(_KEPT), "erased_at": tx.now}
        for buyer_id in sorted(buyers)
    ]
    await tx.insert(erasures, own)


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


@dataclass(frozen=True, slots=True)
class Standing:
    """A request (a row), whom it reached, and which services have erased all of them."""

    request: Any
    buyers: Sequence[UUID]
    erased: Mapping[str, Mapping[str, Any]]


async def find(tx: Tx, storefront: str | None, request_id: UUID) -> Standing | None:
    """A request of that storefront (None: of any) and how far it is; None where there is none."""
    row = (await tx.execute(_FIND, id=request_id, storefront=storefront)).one_or_none()
    if row is None:
        return None
    buyers = row.reached or [row.buyer_id]
    said = []
    if row.kind == "erase":
        said = (await tx.execute(_SAID, buyers=buyers, buyers_in_all=len(buyers))).all()
    erased = {
        one.service: {"erased_at": one.erased_at, "kept": sorted({word for kept in one.kept for word in kept})}
        for one in said
    }
    return Standing(row, buyers, erased)


async def held(tx: Tx, buyers: Sequence[UUID]) -> dict[str, Any]:
    """Everything that ordering holds of these buyers, by kind, as JSON-ready rows."""
    return {name: (await tx.execute(sql, buyers=list(buyers))).mappings() for name, sql in _HELD.items()}
