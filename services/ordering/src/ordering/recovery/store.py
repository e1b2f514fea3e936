"""SQL of the recovery. Each statement changes nothing when it is repeated."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from ordering.intake.models import UNKNOWN_BODY
from ordering.tables import buyers, holds, orders, submissions
from shared.contracts import (
    BuyerContact,
    BuyerErasureRequested,
    OrderHeld,
    OrderPlaced,
    OrderRefused,
    OrderReleased,
)
from shared.database import Tx
from shared.values.email_address import mailbox_key

#: A buyer's newest contact stays. Whether it was proved is learned again from `notifications.mailbox-proved`.
_NEWER = """
ON CONFLICT (buyer_id) DO UPDATE
SET name = EXCLUDED.name, email = EXCLUDED.email, phone = EXCLUDED.phone, language = EXCLUDED.language,
    company = EXCLUDED.company, mailbox_key = EXCLUDED.mailbox_key, blocked = EXCLUDED.blocked,
    updated_at = EXCLUDED.updated_at
WHERE buyers.updated_at < EXCLUDED.updated_at
"""
_STORED = "SELECT order_id FROM orders WHERE order_id = ANY(CAST(:orders AS uuid[]))"
_DECIDED = """
UPDATE holds h SET decision = r.decision, decided_at = r.at, decided_by = :by
FROM unnest(CAST(:orders AS uuid[]), CAST(:decisions AS text[]), CAST(:moments AS timestamptz[]))
     AS r(order_id, decision, at)
WHERE h.order_id = r.order_id AND h.decision IS NULL
"""
_REQUESTS = """
INSERT INTO privacy_requests
  (request_id, buyer_id, order_id, storefront, kind, requested_at, confirmed_at, confirmed_by)
SELECT DISTINCT ON (r.request_id) r.request_id, o.buyer_id, o.order_id, o.storefront, 'erase', r.at, r.at, :by
FROM unnest(CAST(:requests AS uuid[]), CAST(:buyers AS uuid[]), CAST(:moments AS timestamptz[]))
     AS r(request_id, buyer_id, at) JOIN orders o ON o.buyer_id = r.buyer_id
ON CONFLICT DO NOTHING
"""
_ADVANCE = "SELECT count(nextval('order_numbers')) FROM generate_series(1, CAST(:count AS int))"
#: Who decided a hold or confirmed a request in the lost time is not on the topics.
_NOT_KNOWN = "unknown: lost with the database"


async def keep_contacts(tx: Tx, events: Sequence[BuyerContact]) -> None:
    """Store the contacts of orders; a stored one that is as new stays as it is."""
    newest = {event.buyer_id: event for event in sorted(events, key=lambda event: event.updated_at)}
    rows = [
        {
            "buyer_id": event.buyer_id,
            "storefront": event.storefront,
            "email_key": str(event.buyer_id),
            "mailbox_key": mailbox_key(event.email),
            "name": event.name,
            "email": event.email,
            "phone": event.phone,
            "language": event.language,
            "company": None if event.company is None else event.company.model_dump(),
            "newsletter": event.newsletter,
            "newsletter_asked": event.newsletter_asked,
            "blocked": event.blocked,
            "updated_at": event.updated_at,
        }
        for event in newest.values()
    ]
    await tx.insert(buyers, sorted(rows, key=lambda row: row["buyer_id"].int), on_conflict=_NEWER)


async def keep_orders(tx: Tx, events: Sequence[tuple[OrderPlaced, str | None]]) -> list[UUID]:
    """Store orders with their numbers and idempotency keys; returns those that were not stored."""
    placed = {event.order_id: (event, trace) for event, trace in events}
    rows: list[dict[str, Any]] = [
        {
            "order_id": event.order_id,
            "number": int(event.order_number),
            "storefront": event.storefront,
            "buyer_id": event.buyer_id,
            "kind": event.kind,
            "iccid": event.iccid,
            "plan": event.plan.model_dump(mode="json"),
            "price": event.price.amount,
            "currency": event.price.currency,
            "offer_version": event.offer_version,
            "privacy_version": event.privacy_version,
            "placed_at": event.placed_at,
            "trace": trace,
        }
        for event, trace in placed.values()
    ]
    inserted = await tx.insert(orders, sorted(rows, key=lambda row: row["order_id"].int), returning="order_id")
    new = [row.order_id for row in inserted]
    keys = [
        {
            "storefront": placed[order_id][0].storefront,
            "submission_id": placed[order_id][0].submission_id,
            "body_hash": UNKNOWN_BODY,
            "order_id": order_id,
        }
        for order_id in new
        if placed[order_id][0].submission_id is not None
    ]
    await tx.insert(submissions, keys)
    return new


async def keep_holds(tx: Tx, events: Sequence[OrderHeld]) -> None:
    """Store that orders were held, where the orders are stored."""
    stored = await stored_orders(tx, (event.order_id for event in events))
    rows = {
        event.order_id: {"order_id": event.order_id, "rules": list(event.rules), "held_at": event.held_at}
        for event in events
        if event.order_id in stored
    }
    await tx.insert(holds, list(rows.values()))


async def keep_decisions(tx: Tx, events: Sequence[OrderReleased | OrderRefused]) -> None:
    """Store how agents decided about held orders."""
    await tx.execute(
        _DECIDED,
        by=_NOT_KNOWN,
        orders=[event.order_id for event in events],
        decisions=["released" if isinstance(event, OrderReleased) else "refused" for event in events],
        moments=[event.released_at if isinstance(event, OrderReleased) else event.refused_at for event in events],
    )


async def keep_requests(tx: Tx, events: Sequence[BuyerErasureRequested]) -> None:
    """Store the requests of erasures as confirmed: they were carried out."""
    await tx.execute(
        _REQUESTS,
        by=_NOT_KNOWN,
        requests=[event.request_id for event in events],
        buyers=[event.buyer_id for event in events],
        moments=[event.requested_at for event in events],
    )


async def stored_orders(tx: Tx, order_ids: Iterable[UUID]) -> set[UUID]:
    """Those of these orders that are stored."""
    return set((await tx.execute(_STORED, orders=list(order_ids))).scalars())


async def advance_numbers(tx: Tx, ahead: int) -> int:
    """Move the sequence so many numbers behind every known order; returns the last number that stays unused."""
    first = int((await tx.execute("SELECT nextval('order_numbers')")).scalar())
    newest = int((await tx.execute("SELECT COALESCE(max(number), 0) FROM orders")).scalar())
    last = max(first, newest) + ahead
    await tx.execute(_ADVANCE, count=last - first)
    return last
