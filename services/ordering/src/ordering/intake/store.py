"""SQL of orders on their way in; each statement handles a whole batch."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ordering.intake.models import NewOrder, SoldEsim
from ordering.tables import buyers, esims, orders, session_records, submissions
from ordering.timeline import ORDER_COLUMNS, placed_order
from ordering.timeline.models import PlacedOrder
from shared.contracts import Plan
from shared.database import Tx

_FIND_ACCEPTED = f"""
SELECT s.submission_id, s.body_hash, {ORDER_COLUMNS},
  EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.order_id) AS held
FROM unnest(CAST(:storefronts AS text[]), CAST(:ids AS text[])) AS requested(storefront, submission_id)
JOIN submissions s USING (storefront, submission_id) JOIN orders o USING (order_id)
"""
_FIND_SOLD_ESIMS = """
SELECT iccid, storefront, plan, revoked_at, expired_at, deleted_at FROM esims
WHERE iccid = ANY(CAST(:iccids AS text[])) AND plan IS NOT NULL
"""
#: One statement: the parts of `WITH` are carried out although nothing reads them.
_DELETE = """
WITH s AS (DELETE FROM session_records WHERE order_id = ANY(CAST(:orders AS uuid[]))),
  b AS (DELETE FROM buyers WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))),
  k AS (DELETE FROM submissions k USING unnest(CAST(:storefronts AS text[]), CAST(:keys AS text[]))
          AS r(storefront, submission_id) WHERE (k.storefront, k.submission_id) = (r.storefront, r.submission_id))
DELETE FROM orders WHERE order_id = ANY(CAST(:orders AS uuid[]))
"""


async def claim_keys(tx: Tx, new_orders: Sequence[NewOrder]) -> set[UUID]:
    """Insert the idempotency keys; return the orders whose key was free. The first of a key in the batch gets it."""
    rows = [
        {
            "storefront": order.storefront,
            "submission_id": order.submission_id,
            "body_hash": order.body_hash,
            "order_id": order.order_id,
        }
        # One locking order for all instances, so that they do not deadlock.
        for order in sorted(new_orders, key=lambda order: (order.storefront, order.submission_id))
    ]
    return {row.order_id for row in await tx.insert(submissions, rows, returning="order_id")}


async def find_accepted(tx: Tx, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], PlacedOrder]:
    """The orders that were accepted under these (storefront, idempotency key)."""
    if not keys:
        return {}
    rows = await tx.execute(_FIND_ACCEPTED, storefronts=[shop for shop, _ in keys], ids=[key for _, key in keys])
    return {(row.storefront, row.submission_id): placed_order(row, row.body_hash, held=row.held) for row in rows}


async def insert_orders(tx: Tx, new_orders: Sequence[NewOrder], keep_sessions: timedelta) -> None:
    """Insert contacts, orders and session records by one statement, and set `number`.

    No row of another order is written (I14).
    """
    inserted = await tx.insert(
        orders,
        [_order_row(order, tx.now) for order in new_orders],
        on_conflict="",
        returning="order_id, number",
        beside={
            buyers: [_buyer_row(order, tx.now) for order in new_orders],
            session_records: [_session_row(order, tx.now, keep_sessions) for order in new_orders],
        },
    )
    numbers = {row.order_id: row.number for row in inserted}
    for order in new_orders:
        order.number = numbers[order.order_id]


async def delete_orders(tx: Tx, new_orders: Sequence[NewOrder]) -> None:
    """Delete orders that this transaction has inserted, with their contacts, session records and idempotency keys."""
    if new_orders:
        await tx.execute(
            _DELETE,
            orders=[order.order_id for order in new_orders],
            buyers=[order.buyer_id for order in new_orders],
            storefronts=[order.storefront for order in new_orders],
            keys=[order.submission_id for order in new_orders],
        )


async def find_sold_esims(tx: Tx, iccids: Collection[str]) -> dict[str, SoldEsim]:
    """The sold eSIMs of these ICCIDs, by ICCID."""
    if not iccids:
        return {}
    rows = await tx.execute(_FIND_SOLD_ESIMS, iccids=sorted(iccids))
    return {
        row.iccid: SoldEsim(
            row.storefront, Plan.model_validate(row.plan), row.revoked_at, row.expired_at, row.deleted_at
        )
        for row in rows
    }


async def record_esims(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert or complete rows of `esims`. The first value of each column stays."""
    await tx.record_facts(esims, "iccid", rows)


def _buyer_row(order: NewOrder, now: datetime) -> dict[str, Any]:
    valid = order.valid
    return {
        "buyer_id": order.buyer_id,
        "storefront": order.storefront,
        # Not the mailbox, so that an instance of the previous release finds no buyer here to overwrite.
        "email_key": str(order.buyer_id),
        "mailbox_key": valid.email.key,
        "name": valid.request.buyer.name,
        "email": valid.email.text,
        "phone": valid.phone.e164,
        "language": valid.request.buyer.language,
        "company": None if valid.company is None else valid.company.model_dump(),
        "newsletter": False,
        "newsletter_asked": valid.request.newsletter,
        "updated_at": now,
    }


def _order_row(order: NewOrder, now: datetime) -> dict[str, Any]:
    valid = order.valid
    return {
        "order_id": order.order_id,
        "storefront": order.storefront,
        "buyer_id": order.buyer_id,
        "kind": valid.request.kind,
        "iccid": valid.request.iccid,
        "plan": valid.plan.model_dump(mode="json"),
        "price": valid.price.amount,
        "currency": valid.price.currency,
        "offer_version": valid.request.offer_version,
        "privacy_version": valid.request.privacy_version,
        "placed_at": now,
        "trace": order.trace,
        "test": order.test,
    }


def _session_row(order: NewOrder, now: datetime, keep: timedelta) -> dict[str, Any]:
    address = order.session.address
    return {
        "order_id": order.order_id,
        "offer_version": order.valid.request.offer_version,
        "privacy_version": order.valid.request.privacy_version,
        "consented_at": now,
        "ip": address and address.text,
        "network": address and address.network,
        "user_agent": order.session.user_agent,
        "referrer": order.session.referrer,
        "keep_until": now + keep,
    }
