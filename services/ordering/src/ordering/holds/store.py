"""SQL of held orders."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from ordering.holds.models import Candidate, Counts, Decision, HeldOrder, Limits
from ordering.tables import holds
from ordering.timeline.models import Reference
from shared.database import Tx

_WINDOW = timedelta(hours=24)
#: Each count stops one above its limit, so the statement stays cheap for a busy phone or network.
#: Anybody can order under another person's address or phone. So an order with a proved mailbox and the phone of one of
#: its proved orders (`owner`) is not held because of orders under the same address from other phones and networks, nor
#: because of other addresses under the same phone: only orders count that are proved, or share both.
_COUNT = """
WITH a AS (
  SELECT i.*, EXISTS (SELECT 1 FROM buyers k WHERE k.storefront = i.storefront AND k.mailbox_key = i.mailbox
                        AND k.phone = i.phone AND k.proved_email = k.email) AS owner
  FROM unnest(CAST(:orders AS uuid[]), CAST(:storefronts AS text[]), CAST(:mailboxes AS text[]),
              CAST(:phones AS text[]), CAST(:ips AS text[])) AS i(order_id, storefront, mailbox, phone, ip))
SELECT a.order_id,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
      LEFT JOIN session_records s USING (order_id)
    WHERE b.storefront = a.storefront AND b.mailbox_key = a.mailbox AND b.updated_at > :since AND o.placed_at > :since
      AND (NOT a.owner OR b.phone = a.phone OR b.proved_email = b.email OR s.ip = a.ip)
    LIMIT :orders_by_email) n) AS orders_by_email,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
    WHERE b.phone = a.phone AND b.updated_at > :since AND o.placed_at > :since
      AND (NOT a.owner OR b.mailbox_key = a.mailbox OR b.proved_email = b.email)
    LIMIT :orders_by_phone) n) AS orders_by_phone,
  (SELECT count(*) FROM (SELECT DISTINCT COALESCE(b.mailbox_key, b.email_key) FROM buyers b
    WHERE b.phone = a.phone AND b.updated_at > :since
      AND (NOT a.owner OR b.mailbox_key = a.mailbox OR b.proved_email = b.email)
    LIMIT :emails_by_phone) n) AS emails_by_phone,
  (SELECT count(*) FROM (SELECT 1 FROM session_records s WHERE s.ip = a.ip AND s.consented_at > :since
    LIMIT :orders_by_ip) n) AS orders_by_ip,
  (SELECT count(*) FROM (SELECT DISTINCT COALESCE(b.mailbox_key, b.email_key)
    FROM session_records s JOIN orders o USING (order_id) JOIN buyers b USING (buyer_id)
    WHERE s.ip = a.ip AND s.consented_at > :since LIMIT :emails_by_ip) n) AS emails_by_ip
FROM a
"""
_DECIDE = """
UPDATE holds h SET decision = :decision, decided_at = :now, decided_by = :agent
FROM orders o WHERE o.order_id = h.order_id AND (o.order_id = :order_id OR o.number = :number) AND h.decision IS NULL
RETURNING o.order_id, o.number, o.storefront, o.buyer_id, o.kind, o.iccid, o.plan, o.price, o.currency,
  o.offer_version, o.privacy_version, o.placed_at, o.trace,
  (SELECT s.submission_id FROM submissions s WHERE s.order_id = o.order_id) AS submission_id
"""
_FIND_OPEN = """
SELECT o.order_id, o.number, o.storefront, h.rules, h.held_at FROM holds h JOIN orders o USING (order_id)
WHERE h.decision IS NULL ORDER BY h.held_at LIMIT 200
"""


async def count(tx: Tx, candidates: Sequence[Candidate], limits: Limits) -> dict[UUID, Counts]:
    """Count, for each order, what came from its e-mail address, phone number and IP address, with one statement."""
    rows = await tx.execute(
        _COUNT,
        since=tx.now - _WINDOW,
        orders=[candidate.order_id for candidate in candidates],
        storefronts=[candidate.storefront for candidate in candidates],
        mailboxes=[candidate.mailbox_key for candidate in candidates],
        phones=[candidate.phone for candidate in candidates],
        ips=[candidate.public_ip for candidate in candidates],
        **{name: limit + 1 for name, limit in limits},
    )
    return {
        row.order_id: Counts(
            orders_by_email=row.orders_by_email,
            orders_by_phone=row.orders_by_phone,
            orders_by_ip=row.orders_by_ip,
            emails_by_phone=row.emails_by_phone,
            emails_by_ip=row.emails_by_ip,
        )
        for row in rows
    }


async def insert(tx: Tx, rules_by_order: Mapping[UUID, tuple[str, ...]]) -> None:
    """Insert held orders with the rules that they break."""
    rows = [
        {"order_id": order_id, "rules": list(rules), "held_at": tx.now} for order_id, rules in rules_by_order.items()
    ]
    await tx.insert(holds, rows)


async def decide_open(tx: Tx, order: Reference, *, decision: Decision, agent: str) -> Any:
    """Store an agent's decision. Returns the order's row, or None where no such order waits for a decision."""
    result = await tx.execute(
        _DECIDE, order_id=order.order_id, number=order.number, decision=decision, agent=agent, now=tx.now
    )
    return result.one_or_none()


async def find_open(tx: Tx) -> list[HeldOrder]:
    """The held orders that wait for an agent, the oldest first; at most 200."""
    return [
        HeldOrder(row.order_id, row.number, row.storefront, tuple(row.rules), row.held_at)
        for row in await tx.execute(_FIND_OPEN)
    ]
