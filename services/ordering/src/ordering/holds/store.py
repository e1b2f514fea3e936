"""SQL of held orders."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from ordering.holds.models import Candidate, Counts, Decision, HeldOrder, Limits, Unpaid
from ordering.tables import holds
from ordering.timeline.models import Reference
from shared.database import Tx

_WINDOW = timedelta(hours=24)
#: Orders to screen (`a`). Anybody can order under another person's address or phone. So an order with a proved mailbox
#: and the phone of one of its proved orders (`owner`) is not held because of orders under the same address from other
#: phones and networks, nor because of other addresses under the same phone: only orders count that are proved, or share
#: both. `network`: null for an IPv4 address and for rows of earlier releases, which count by `ip`.
_SCREENED = """
WITH a AS (
  SELECT i.*, EXISTS (SELECT 1 FROM buyers k WHERE k.storefront = i.storefront AND k.mailbox_key = i.mailbox
                        AND k.phone = i.phone AND k.proved_email = k.email) AS owner
  FROM {candidates} AS i(order_id, storefront, mailbox, phone, ip, network))
"""
_MANY = """unnest(CAST(:orders AS uuid[]), CAST(:storefronts AS text[]), CAST(:mailboxes AS text[]),
              CAST(:phones AS text[]), CAST(:ips AS text[]), CAST(:networks AS text[]))"""
_ONE = """(VALUES (CAST(:orders AS uuid), CAST(:storefronts AS text), CAST(:mailboxes AS text),
              CAST(:phones AS text), CAST(:ips AS text), CAST(:networks AS text)))"""
_SAME_NETWORK = "(s.ip = a.ip OR s.network = a.network)"
_SAME_MAILBOX = f"""b.storefront = a.storefront AND b.mailbox_key = a.mailbox
      AND b.updated_at > :since AND o.placed_at > :since
      AND (NOT a.owner OR b.phone = a.phone OR b.proved_email = b.email OR {_SAME_NETWORK})"""
_SAME_PHONE = """b.phone = a.phone AND b.updated_at > :since
      AND (NOT a.owner OR b.mailbox_key = a.mailbox OR b.proved_email = b.email)"""
#: Each count stops one above its limit, so the statement stays cheap for a busy phone or network.
_COUNTS = f"""
SELECT a.order_id,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
      LEFT JOIN session_records s USING (order_id)
    WHERE {_SAME_MAILBOX}
    LIMIT :orders_by_email) n) AS orders_by_email,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
    WHERE {_SAME_PHONE} AND o.placed_at > :since
    LIMIT :orders_by_phone) n) AS orders_by_phone,
  (SELECT count(*) FROM (SELECT DISTINCT COALESCE(b.mailbox_key, b.email_key) FROM buyers b
    WHERE {_SAME_PHONE}
    LIMIT :emails_by_phone) n) AS emails_by_phone,
  (SELECT count(*) FROM (SELECT 1 FROM session_records s WHERE {_SAME_NETWORK} AND s.consented_at > :since
    LIMIT :orders_by_ip) n) AS orders_by_ip,
  (SELECT count(*) FROM (SELECT DISTINCT COALESCE(b.mailbox_key, b.email_key)
    FROM session_records s JOIN orders o USING (order_id) JOIN buyers b USING (buyer_id)
    WHERE {_SAME_NETWORK} AND s.consented_at > :since LIMIT :emails_by_ip) n) AS emails_by_ip
FROM a
"""
_COUNT = _SCREENED.format(candidates=_MANY) + _COUNTS
#: `POST /orders` has one order. Without arrays, whose length Postgres takes into account, it plans this statement once
#: for each connection and not each time: 0.1 ms instead of 1 to 4.
_COUNT_ONE = _SCREENED.format(candidates=_ONE) + _COUNTS
#: The orders of this transaction are left out: the caller counts those in their own sequence.
_UNPAID = """o.order_id <> ALL(CAST(:batch AS uuid[])) AND NOT EXISTS
      (SELECT 1 FROM order_facts f WHERE f.order_id = o.order_id AND f.fact = 'order_paid')"""
_COUNT_UNPAID = f"""{_SCREENED.format(candidates=_MANY)}
SELECT a.order_id, a.owner,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
      LEFT JOIN session_records s USING (order_id)
    WHERE {_SAME_MAILBOX} AND {_UNPAID}
    LIMIT :unpaid_by_email) n) AS by_email,
  (SELECT count(*) FROM (SELECT 1 FROM buyers b JOIN orders o USING (buyer_id)
    WHERE {_SAME_PHONE} AND o.placed_at > :since AND {_UNPAID}
    LIMIT :unpaid_by_phone) n) AS by_phone,
  (SELECT count(*) FROM (SELECT 1 FROM session_records s JOIN orders o USING (order_id)
    WHERE {_SAME_NETWORK} AND s.consented_at > :since AND {_UNPAID}
    LIMIT :unpaid_by_ip) n) AS by_ip
FROM a
"""
#: Orders that are counted together wait for each other until the commit. The caller sorts, so nothing deadlocks.
_LOCK = """
SELECT count(pg_advisory_xact_lock(hashtextextended(subject, 0))) FROM unnest(CAST(:subjects AS text[])) AS subject
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

_FIND = """
SELECT o.storefront, h.rules, h.held_at, h.decision, h.decided_at, h.decided_by
FROM holds h JOIN orders o USING (order_id) WHERE o.order_id = :order_id OR o.number = :number
"""


async def count(tx: Tx, candidates: Sequence[Candidate], limits: Limits) -> dict[UUID, Counts]:
    """Count, for each order, what came from its e-mail address, phone number and IP address, with one statement."""
    most = {rule.name: getattr(limits, rule.name) + 1 for rule in fields(Counts)}
    screened = _screened(candidates)
    if len(candidates) == 1:
        screened = {name: values[0] for name, values in screened.items()}
    counting = _COUNT if len(candidates) > 1 else _COUNT_ONE
    rows = await tx.execute(counting, since=tx.now - _WINDOW, **screened, **most)
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


async def count_unpaid(
    tx: Tx, candidates: Sequence[Candidate], batch: Sequence[UUID], limits: Limits
) -> dict[UUID, Unpaid]:
    """Count the unpaid orders of other transactions for each order, and keep others from counting until the commit.

    `batch`: all new orders of this transaction.
    """
    await tx.execute(_LOCK, subjects=sorted({subject for candidate in candidates for subject in candidate.subjects}))
    rows = await tx.execute(
        _COUNT_UNPAID,
        since=tx.now - _WINDOW,
        batch=list(batch),
        **_screened(candidates),
        unpaid_by_email=limits.unpaid_by_email,
        unpaid_by_phone=limits.unpaid_by_phone,
        unpaid_by_ip=limits.unpaid_by_ip,
    )
    return {row.order_id: Unpaid(row.by_email, row.by_phone, row.by_ip, row.owner) for row in rows}


def _screened(candidates: Sequence[Candidate]) -> dict[str, Any]:
    """The parameters of `_SCREENED`."""
    return {
        "orders": [candidate.order_id for candidate in candidates],
        "storefronts": [candidate.storefront for candidate in candidates],
        "mailboxes": [candidate.mailbox_key for candidate in candidates],
        "phones": [candidate.phone for candidate in candidates],
        "ips": [candidate.address and candidate.address.text for candidate in candidates],
        "networks": [candidate.address and candidate.address.network for candidate in candidates],
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


async def find(tx: Tx, order: Reference) -> Any:
    """What is stored of the hold of an order; None: it was never held, or there is no such order."""
    return (await tx.execute(_FIND, order_id=order.order_id, number=order.number)).one_or_none()


async def find_open(tx: Tx) -> list[HeldOrder]:
    """The held orders that wait for an agent, the oldest first; at most 200."""
    return [
        HeldOrder(row.order_id, row.number, row.storefront, tuple(row.rules), row.held_at)
        for row in await tx.execute(_FIND_OPEN)
    ]
