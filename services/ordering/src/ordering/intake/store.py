"""Every statement of ordering, each over a whole set of orders."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ordering.intake.rules.top_ups import Esim
from ordering.intake.rules.validation import Approved
from ordering.tables import buyers, order_facts, orders, session_records, submissions
from ordering.timeline.reference import Reference
from ordering.timeline.rules.sentences import Known
from ordering.timeline.rules.status import Fact
from shared.contracts import Plan
from shared.database import Tx
from shared.values.client_address import ClientAddress


@dataclass(frozen=True, slots=True)
class Session:
    """Technical data of the checkout, as far as the shop told it (PP 3.3)."""

    ip: str | None = None
    user_agent: str | None = None
    referrer: str | None = None

    @property
    def public_ip(self) -> str | None:
        """The address, where it tells networks apart: behind a private one stands a proxy, not a buyer."""
        address = ClientAddress.parse(self.ip)
        return address.text if address is not None and address.is_public else None


#: Nothing was told, as over Kafka.
NO_SESSION = Session()


@dataclass(slots=True)
class Draft:
    """An approved order on its way into the tables."""

    storefront: str
    submission_id: str
    body_hash: bytes
    approved: Approved
    session: Session
    trace: str | None
    order_id: UUID
    buyer_id: UUID
    number: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted order. `body_hash` is of the body it was accepted with."""

    order_id: UUID
    number: int
    kind: str
    plan: dict[str, Any]
    price: int
    currency: str
    placed_at: datetime
    trace: str | None
    body_hash: bytes = b""
    #: Fraud control held it when it was accepted (PP 4.5).
    held: bool = False


_ORDER = "o.order_id, o.number, o.kind, o.plan, o.price, o.currency, o.placed_at, o.trace"
_EARLIER = f"""
SELECT s.storefront, s.submission_id, s.body_hash, {_ORDER},
  EXISTS (SELECT 1 FROM holds h WHERE h.order_id = o.order_id) AS held
FROM unnest(CAST(:storefronts AS text[]), CAST(:ids AS text[])) AS asked(storefront, submission_id)
JOIN submissions s USING (storefront, submission_id) JOIN orders o USING (order_id)
"""
_FIND = f"""
SELECT {_ORDER}, f.fact, f.ref, f.at, f.detail, f.trace AS fact_trace
FROM orders o LEFT JOIN order_facts f USING (order_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront) AND """


_EARLIER_FACT = """ON CONFLICT (order_id, fact, ref) DO UPDATE SET at = EXCLUDED.at, trace = EXCLUDED.trace
WHERE EXCLUDED.at < order_facts.at"""
_ESIMS = """
SELECT iccid, storefront, plan, revoked_at, expired_at, deleted_at FROM esims
WHERE iccid = ANY(CAST(:iccids AS text[])) AND plan IS NOT NULL
"""


async def claim(tx: Tx, drafts: Sequence[Draft]) -> set[UUID]:
    """Take the idempotency keys; returns the orders whose key was free. The first of a key in the batch gets it."""
    rows = [
        {"storefront": d.storefront, "submission_id": d.submission_id, "body_hash": d.body_hash, "order_id": d.order_id}
        for d in sorted(drafts, key=lambda d: (d.storefront, d.submission_id))  # one locking order for everybody
    ]
    return {row.order_id for row in await tx.insert(submissions, rows, returning="order_id")}


async def earlier(tx: Tx, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Placed]:
    """The orders that were accepted under these (storefront, idempotency key)."""
    if not keys:
        return {}
    result = await tx.execute(_EARLIER, storefronts=[shop for shop, _ in keys], ids=[key for _, key in keys])
    return {(row.storefront, row.submission_id): _placed(row, row.body_hash, held=row.held) for row in result}


async def place(tx: Tx, drafts: Sequence[Draft], keep_sessions: timedelta) -> None:
    """Insert contacts, orders and session records; fills in `number`. No row of another order is written (I14)."""
    await tx.insert(buyers, [_buyer(draft, tx.now) for draft in drafts], on_conflict="")
    made = await tx.insert(
        orders, [_order(draft, tx.now) for draft in drafts], on_conflict="", returning="order_id, number"
    )
    numbers = {row.order_id: row.number for row in made}
    for draft in drafts:
        draft.number = numbers[draft.order_id]
    await tx.insert(session_records, [_session(draft, tx.now, keep_sessions) for draft in drafts], on_conflict="")


async def record(tx: Tx, facts: Sequence[tuple[UUID, Known]]) -> None:
    """Keep facts, of orders known or not; what is known already stays as it is."""
    # One locking order, so two instances that read the same facts never wait for each other in a circle. As numbers,
    # because comparing UUID objects costs several times as much.
    rows = [
        {
            "order_id": order_id,
            "fact": known.fact,
            "ref": known.ref,
            "at": known.at,
            "detail": known.detail or None,
            "trace": known.trace,
        }
        for order_id, known in sorted(facts, key=lambda told: (told[0].int, told[1].ref))
    ]
    await tx.insert(order_facts, rows)


async def record_earliest(tx: Tx, facts: Sequence[tuple[UUID, Known]]) -> None:
    """Keep facts that are told again with an earlier time, as more becomes known: the earliest one counts."""
    first: dict[tuple[UUID, Fact, str], Known] = {}
    for order_id, known in facts:
        key = (order_id, known.fact, known.ref)
        if key not in first or known.at < first[key].at:
            first[key] = known
    rows = [
        {"order_id": key[0], "fact": key[1], "ref": key[2], "at": known.at, "detail": None, "trace": known.trace}
        for key, known in sorted(first.items(), key=lambda one: (one[0][0].int, one[0][1], one[0][2]))
    ]
    await tx.insert(order_facts, rows, on_conflict=_EARLIER_FACT)


async def sold(tx: Tx, iccids: Collection[str]) -> dict[str, Esim]:
    """The eSIMs of these ICCIDs that are known to be sold."""
    if not iccids:
        return {}
    rows = await tx.execute(_ESIMS, iccids=sorted(iccids))
    return {
        row.iccid: Esim(row.storefront, Plan.model_validate(row.plan), row.revoked_at, row.expired_at, row.deleted_at)
        for row in rows
    }


async def find(tx: Tx, storefront: str | None, order: Reference) -> tuple[Placed, list[Known]] | None:
    """An order of that storefront, or of any, with all that is known about it."""
    which = "o.number = :number" if order.order_id is None else "o.order_id = :id"
    rows = (await tx.execute(_FIND + which, storefront=storefront, id=order.order_id, number=order.number)).all()
    if not rows:
        return None
    placed = _placed(rows[0])
    facts = [Known(Fact.ORDER_PLACED, placed.placed_at, trace=placed.trace)]
    facts += [Known(Fact(r.fact), r.at, r.ref, r.detail or {}, r.fact_trace) for r in rows if r.fact is not None]
    return placed, facts


def _placed(row: Any, body_hash: bytes = b"", *, held: bool = False) -> Placed:
    return Placed(
        row.order_id,
        row.number,
        row.kind,
        row.plan,
        row.price,
        row.currency,
        row.placed_at,
        row.trace,
        bytes(body_hash),
        held,
    )


def _buyer(draft: Draft, now: datetime) -> dict[str, Any]:
    approved = draft.approved
    return {
        "buyer_id": draft.buyer_id,
        "storefront": draft.storefront,
        # No mailbox, so that an instance of the release before finds no buyer here to overwrite.
        "email_key": str(draft.buyer_id),
        "mailbox_key": approved.email.key,
        "name": approved.request.buyer.name,
        "email": approved.email.text,
        "phone": approved.phone.e164,
        "language": approved.request.buyer.language,
        "newsletter": False,
        "newsletter_asked": approved.request.newsletter,
        "updated_at": now,
    }


def _order(draft: Draft, now: datetime) -> dict[str, Any]:
    approved = draft.approved
    return {
        "order_id": draft.order_id,
        "storefront": draft.storefront,
        "buyer_id": draft.buyer_id,
        "kind": approved.request.kind,
        "iccid": approved.request.iccid,
        "plan": approved.plan.model_dump(mode="json"),
        "price": approved.price.amount,
        "currency": approved.price.currency,
        "offer_version": approved.request.offer_version,
        "privacy_version": approved.request.privacy_version,
        "placed_at": now,
        "trace": draft.trace,
    }


def _session(draft: Draft, now: datetime, keep: timedelta) -> dict[str, Any]:
    return {
        "order_id": draft.order_id,
        "offer_version": draft.approved.request.offer_version,
        "privacy_version": draft.approved.request.privacy_version,
        "consented_at": now,
        "ip": draft.session.ip,
        "user_agent": draft.session.user_agent,
        "referrer": draft.session.referrer,
        "keep_until": now + keep,
    }
