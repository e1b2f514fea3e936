"""Orders that fraud control holds before payment (PP 4.5): counted at intake, decided by an agent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ordering.holds.rules import Counts, Limits, struck
from ordering.intake.store import Draft, record
from ordering.tables import holds
from ordering.timeline.reference import Reference
from ordering.timeline.rules.sentences import Known
from ordering.timeline.rules.status import Fact
from shared.contracts import OrderHeld, OrderPlaced, OrderRefused, Plan
from shared.contracts.base import Money
from shared.database import Tx

WINDOW = timedelta(hours=24)
#: Nobody needs to know by how much a limit is passed: each count ends one above it, however busy a phone or network is.
#: Anybody can order under a stranger's address or phone. So whoever orders with a proved mailbox and the phone that
#: goes with it (`owner`) is not held for orders under the same address from other phones and networks, nor for others'
#: addresses under the same phone; only for what is proved, or has both.
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
_OPEN = """
SELECT o.order_id, o.number, o.storefront, h.rules, h.held_at FROM holds h JOIN orders o USING (order_id)
WHERE h.decision IS NULL ORDER BY h.held_at LIMIT 200
"""
Decision = Literal["released", "refused"]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A held order that nobody has decided yet."""

    order_id: UUID
    number: int
    storefront: str
    rules: tuple[str, ...]
    held_at: datetime


async def hold_suspicious(tx: Tx, drafts: Sequence[Draft], limits: Limits) -> set[UUID]:
    """Hold the new orders that trip a rule; returns them. Two statements for a batch, one where none trips."""
    counted = await tx.execute(
        _COUNT,
        since=tx.now - WINDOW,
        orders=[draft.order_id for draft in drafts],
        storefronts=[draft.storefront for draft in drafts],
        mailboxes=[draft.approved.email.key for draft in drafts],
        phones=[draft.approved.phone.e164 for draft in drafts],
        ips=[draft.session.public_ip for draft in drafts],
        **{name: limit + 1 for name, limit in limits},
    )
    found: dict[UUID, tuple[str, ...]] = {}
    for row in counted:
        values = row._asdict()
        rules = struck(Counts(**{name: values[name] for name in Counts.__slots__}), limits)
        if rules:
            found[row.order_id] = rules
    held = [draft for draft in drafts if draft.order_id in found]
    await tx.insert(holds, [_row(draft.order_id, found[draft.order_id], tx.now) for draft in held])
    for draft in held:
        event = OrderHeld(
            order_id=draft.order_id,
            order_number=str(draft.number),
            storefront=draft.storefront,
            buyer_id=draft.buyer_id,
            rules=found[draft.order_id],
            held_at=tx.now,
        )
        tx.publish(event, trace=draft.trace)
    await record(tx, [(draft.order_id, Known(Fact.ORDER_HELD, tx.now, trace=draft.trace)) for draft in held])
    return set(found)


def _row(order_id: UUID, rules: tuple[str, ...], now: datetime) -> Mapping[str, Any]:
    return {"order_id": order_id, "rules": list(rules), "held_at": now}


async def decide(tx: Tx, order: Reference, *, decision: Decision, agent: str) -> bool:
    """Release a held order (it is placed now, and can be paid) or refuse it; False where it does not wait."""
    row = (
        await tx.execute(
            _DECIDE, order_id=order.order_id, number=order.number, decision=decision, agent=agent, now=tx.now
        )
    ).one_or_none()
    if row is None:
        return False
    fact = Fact.ORDER_RELEASED if decision == "released" else Fact.ORDER_REFUSED
    await record(tx, [(row.order_id, Known(fact, tx.now, trace=row.trace))])
    about: dict[str, Any] = {
        "order_id": row.order_id,
        "order_number": str(row.number),
        "storefront": row.storefront,
        "buyer_id": row.buyer_id,
    }
    if decision == "refused":
        tx.publish(OrderRefused(**about, refused_at=tx.now), trace=row.trace)
        return True
    placed = OrderPlaced(
        **about,
        kind=row.kind,
        iccid=row.iccid,
        plan=Plan.model_validate(row.plan),
        price=Money(amount=row.price, currency=row.currency),
        offer_version=row.offer_version,
        privacy_version=row.privacy_version,
        placed_at=row.placed_at,
        submission_id=row.submission_id,
    )
    tx.publish(placed, trace=row.trace)
    return True


async def waiting(tx: Tx) -> list[Waiting]:
    """The held orders that wait for an agent, the oldest first; at most 200."""
    return [
        Waiting(row.order_id, row.number, row.storefront, tuple(row.rules), row.held_at)
        for row in await tx.execute(_OPEN)
    ]
