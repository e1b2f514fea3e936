"""SQL of privacy requests, of erasures, and of everything that ordering stores about a buyer."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ordering.contact.models import OrderContact
from ordering.privacy.models import SERVICES, ConfirmedErasure, RequestKind, RequestState
from ordering.tables import erasures, privacy_requests, request_buyers
from shared.database import Tx
from shared.values.identification import Identification

_CONFIRM = """
UPDATE privacy_requests SET confirmed_at = :now, confirmed_by = :confirmed_by
WHERE request_id = :id AND confirmed_at IS NULL RETURNING buyer_id, storefront, kind, trace
"""
#: Run in this sequence with `:buyers`.
_ERASE = (
    """DELETE FROM session_records WHERE order_id IN (
         SELECT order_id FROM orders WHERE buyer_id = ANY(CAST(:buyers AS uuid[])))""",
    # The idempotency key stays, so that a repeated submission cannot place the order again; the body's hash goes.
    """UPDATE submissions SET body_hash = '' WHERE order_id IN (
         SELECT order_id FROM orders WHERE buyer_id = ANY(CAST(:buyers AS uuid[])))""",
    """DELETE FROM dead_letters d USING submissions s JOIN orders o USING (order_id)
       WHERE o.buyer_id = ANY(CAST(:buyers AS uuid[])) AND d.key = s.storefront || ':' || s.submission_id
         AND d.topic IN ('storefront.order-submitted', 'storefront.' || s.storefront || '.orders')""",
    """DELETE FROM dead_letters WHERE topic = 'ordering.buyer-contact'
         AND key = ANY(CAST(:buyers AS uuid[])::text[])""",
    # Contacts that are not published yet must not be published after the tombstone.
    "DELETE FROM outbox WHERE topic = 'ordering.buyer-contact' AND key = ANY(CAST(:buyers AS uuid[])::text[])",
    "UPDATE confirmations SET payload = NULL, contact_hash = NULL WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
    "DELETE FROM buyers WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))",
)
_FIND_REQUEST = """
SELECT r.request_id, r.order_id, r.buyer_id, r.kind, r.requested_at, r.confirmed_at, r.confirmed_by, r.identification,
  ARRAY(SELECT b.buyer_id FROM privacy_request_buyers b WHERE b.request_id = r.request_id ORDER BY 1) AS reached
FROM privacy_requests r
WHERE r.request_id = :id AND (CAST(:storefront AS text) IS NULL OR r.storefront = :storefront)
"""
#: A service has erased a mailbox when it has confirmed every buyer of it.
_CONFIRMED_BY_ALL = """
SELECT service, max(erased_at) AS erased_at, jsonb_agg(kept) AS kept FROM erasures
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) GROUP BY service HAVING count(*) = :buyers_in_all
"""
#: Held until the commit: two services' confirmations of one buyer see each other, and one of them is the last.
_LOCK_ERASURES = """
SELECT pg_advisory_xact_lock(hashtextextended('erasure ' || buyer, 0)) FROM unnest(CAST(:buyers AS text[])) AS buyer
"""
_ERASED_BY_ALL = """
SELECT buyer_id FROM erasures WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND service = ANY(CAST(:services AS text[]))
GROUP BY buyer_id HAVING count(*) = :services_in_all
"""
_OF_BUYERS = "buyer_id = ANY(CAST(:buyers AS uuid[]))"
_NUMBERS = f"SELECT buyer_id, number FROM orders WHERE {_OF_BUYERS} ORDER BY number"
_STORED_DATA = {
    "buyer": f"""
SELECT name, email, phone, language, company, newsletter, newsletter_asked, blocked, updated_at, proved_at, proved_by
FROM buyers
WHERE {_OF_BUYERS}
""",
    "orders": f"""
SELECT order_id, number::text AS number, storefront, kind, iccid, plan, price, currency, offer_version, privacy_version,
  placed_at FROM orders
WHERE {_OF_BUYERS} ORDER BY number
""",
    "facts": f"""
SELECT o.number::text AS order_number, f.fact, f.at, f.detail FROM order_facts f JOIN orders o USING (order_id)
WHERE o.{_OF_BUYERS} ORDER BY f.at
""",
    "sessions": f"""
SELECT o.number::text AS order_number, s.consented_at, s.ip, s.user_agent, s.referrer, s.keep_until
FROM session_records s JOIN orders o USING (order_id) WHERE o.{_OF_BUYERS}
""",
    "contact_changes": f"""
SELECT o.number::text AS order_number, c.fields, c.confirmed_by, c.identification, c.changed_at
FROM contact_changes c JOIN orders o USING (order_id) WHERE o.{_OF_BUYERS}
""",
    "privacy_requests": f"""
SELECT kind, requested_at, confirmed_at, confirmed_by, identification FROM privacy_requests
WHERE {_OF_BUYERS} ORDER BY requested_at
""",
}
#: Rows that an erasure has locked are left to it, because two deletions in different sequences would deadlock.
_DELETE_SESSIONS = """
DELETE FROM session_records WHERE order_id IN (
  SELECT order_id FROM session_records WHERE keep_until < :now ORDER BY keep_until LIMIT :most FOR UPDATE SKIP LOCKED)
"""
_DELETE_CODES = """
DELETE FROM confirmations WHERE confirmation_id IN (
  SELECT confirmation_id FROM confirmations c WHERE expires_at < :now AND confirmed_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM privacy_requests p WHERE p.request_id = c.confirmation_id)
  FOR UPDATE OF c SKIP LOCKED)
"""


async def insert_request(
    tx: Tx,
    request_id: UUID,
    kind: RequestKind,
    order: OrderContact,
    identification: Identification | None,
) -> None:
    """Insert a request that is not confirmed yet."""
    row = {
        "request_id": request_id,
        "buyer_id": order.buyer_id,
        "order_id": order.order_id,
        "storefront": order.storefront,
        "kind": kind,
        "requested_at": tx.now,
        "identification": None if identification is None else identification.model_dump(mode="json"),
        "trace": order.trace,
    }
    await tx.insert(privacy_requests, [row])


async def numbers_of(tx: Tx, buyers: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The numbers of the orders of these buyers, by buyer."""
    found: dict[UUID, list[str]] = {buyer: [] for buyer in buyers}
    for row in await tx.execute(_NUMBERS, buyers=list(buyers)):
        found[row.buyer_id].append(str(row.number))
    return found


async def confirm_request(tx: Tx, request_id: UUID, confirmed_by: str) -> Any:
    """Mark a request as confirmed. Returns its row, or None if it was confirmed before or does not exist."""
    return (await tx.execute(_CONFIRM, id=request_id, confirmed_by=confirmed_by, now=tx.now)).one_or_none()


async def insert_reached(tx: Tx, request_id: UUID, buyers: Sequence[UUID]) -> None:
    """Store which buyers a confirmed request reaches."""
    await tx.insert(request_buyers, [{"request_id": request_id, "buyer_id": buyer} for buyer in sorted(buyers)])


async def erase_buyers(tx: Tx, buyers: Sequence[UUID]) -> None:
    """Delete everything that identifies these buyers; orders and facts stay, without contact data."""
    for statement in _ERASE:
        await tx.execute(statement, buyers=sorted(buyers))


async def insert_erasures(tx: Tx, service: str, confirmations: Sequence[ConfirmedErasure]) -> list[UUID]:
    """Store that a service erased these buyers; the first confirmation of a buyer stays.

    Returns the buyers whom all services have erased with it.
    """
    by_buyer = {confirmed.buyer_id: confirmed for confirmed in confirmations}
    await tx.execute(_LOCK_ERASURES, buyers=[str(buyer_id) for buyer_id in sorted(by_buyer)])
    rows = [
        {
            "buyer_id": buyer_id,
            "service": service,
            "kept": list(by_buyer[buyer_id].kept),
            "erased_at": by_buyer[buyer_id].erased_at,
        }
        for buyer_id in sorted(by_buyer)
    ]
    inserted = await tx.insert(erasures, rows, returning="buyer_id")
    new = [row.buyer_id for row in inserted]
    complete = await tx.execute(_ERASED_BY_ALL, buyers=new, services=list(SERVICES), services_in_all=len(SERVICES))
    return complete.scalars()


async def find_request(tx: Tx, storefront: str | None, request_id: UUID) -> RequestState | None:
    """A request of that storefront (None: of any) and which services have erased all buyers that it reached."""
    row = (await tx.execute(_FIND_REQUEST, id=request_id, storefront=storefront)).one_or_none()
    if row is None:
        return None
    buyers = row.reached or [row.buyer_id]
    erased: dict[str, Mapping[str, Any]] = {}
    if row.kind == "erase":
        for service in await tx.execute(_CONFIRMED_BY_ALL, buyers=buyers, buyers_in_all=len(buyers)):
            kept = sorted({item for kept_by_buyer in service.kept for item in kept_by_buyer})
            erased[service.service] = {"erased_at": service.erased_at, "kept": kept}
    return RequestState(
        request_id=row.request_id,
        kind=row.kind,
        requested_at=row.requested_at,
        confirmed_at=row.confirmed_at,
        confirmed_by=row.confirmed_by,
        identification=row.identification,
        buyers=buyers,
        erased=erased,
    )


async def stored_data(tx: Tx, buyers: Sequence[UUID]) -> dict[str, Any]:
    """Everything that ordering stores about these buyers, by kind, as rows that can be written as JSON."""
    return {name: (await tx.execute(sql, buyers=list(buyers))).mappings() for name, sql in _STORED_DATA.items()}


async def delete_expired_sessions(tx: Tx, most: int) -> int:
    """Delete at most this many session records whose retention is over (PP 4.5); returns how many."""
    return (await tx.execute(_DELETE_SESSIONS, now=tx.now, most=most)).rowcount


async def delete_unused_codes(tx: Tx, expired_before: datetime) -> None:
    """Delete codes that nobody entered, with the new contact data that is stored beside them."""
    await tx.execute(_DELETE_CODES, now=expired_before)
