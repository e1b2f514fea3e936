"""SQL of facts, of the statuses that follow from them, and of single orders."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ordering.tables import order_facts
from ordering.timeline.models import (
    Fact,
    FactDetail,
    NewFact,
    OrderState,
    PlacedOrder,
    RecordedFact,
    Reference,
    Status,
)
from ordering.timeline.rules.status import NEEDS_ALL_FACTS, RAISES_TO, RANKING, facts_in_force, status
from shared.database import Tx

#: Columns of `orders o` that `placed_order` reads.
ORDER_COLUMNS = "o.order_id, o.storefront, o.number, o.kind, o.plan, o.price, o.currency, o.placed_at, o.trace, o.test"
_FIND = f"""
SELECT {ORDER_COLUMNS}, f.fact, f.ref, f.at, f.detail, f.trace AS fact_trace
FROM orders o LEFT JOIN order_facts f USING (order_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront) AND """
#: An order `o` with the facts about it; `OrderState` has the same sequence.
_STATE = """json_build_array(o.order_id, o.storefront, o.number, o.kind, o.plan->>'id', o.price, o.currency,
  (SELECT s.submission_id FROM submissions s WHERE s.order_id = o.order_id LIMIT 1),
  (SELECT json_agg(json_build_array(f.fact, f.ref, f.at)) FROM order_facts f WHERE f.order_id = o.order_id), o.test)"""
#: Facts of which nobody outside ordering is informed: their order is not read.
_UNREAD = ", ".join(f"'{fact}'" for fact in (Fact.PROFILE_GENERATED, Fact.RECEIPT_ISSUED))
_RETURNING = f"""fact, ref, at, detail, trace, CASE WHEN fact NOT IN ({_UNREAD}) THEN
  (SELECT {_STATE} FROM orders o WHERE o.order_id = order_facts.order_id) END AS state"""
_KEEP_EARLIEST = """ON CONFLICT (order_id, fact, ref) DO UPDATE SET at = EXCLUDED.at, trace = EXCLUDED.trace
WHERE EXCLUDED.at < order_facts.at"""
#: Rows are locked in one order, so that two instances do not deadlock. `stored` is read after the lock: it contains
#: what another transaction has committed meanwhile. A status that is due (null) stays due. A fact that a savepoint took
#: back does not count.
_RAISE = """
WITH raised AS (
  SELECT n.order_id, max(array_position(CAST(:ranking AS text[]), n.status)) AS rank
  FROM unnest(CAST(:orders AS uuid[]), CAST(:facts AS text[]), CAST(:statuses AS text[])) AS n(order_id, fact, status)
  WHERE EXISTS (SELECT 1 FROM order_facts f WHERE f.order_id = n.order_id AND f.fact = n.fact) GROUP BY n.order_id),
locked AS (
  SELECT s.order_id, s.status AS stored, r.rank FROM order_statuses s JOIN raised r USING (order_id)
  ORDER BY s.order_id FOR UPDATE OF s)
UPDATE order_statuses s SET status = (CAST(:ranking AS text[]))[locked.rank] FROM locked
WHERE s.order_id = locked.order_id AND array_position(CAST(:ranking AS text[]), locked.stored) < locked.rank
"""
_LOCK = """
SELECT order_id FROM order_statuses WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY order_id FOR UPDATE
"""
_FACTS = "SELECT order_id, fact, ref, at FROM order_facts WHERE order_id = ANY(CAST(:orders AS uuid[]))"
_STORE = """
UPDATE order_statuses s SET status = n.status
FROM unnest(CAST(:orders AS uuid[]), CAST(:statuses AS text[])) AS n(order_id, status)
WHERE s.order_id = n.order_id AND s.status IS DISTINCT FROM n.status
"""
_DUE = """
SELECT order_id FROM order_statuses
WHERE status IS NULL AND (CAST(:storefront AS text) IS NULL OR storefront = :storefront) LIMIT :max_orders
"""
#: In `Tx.carried`: the facts of this transaction that may change a status, as pairs of order id and fact.
_NEW_FACTS = "timeline.new_facts"
_KNOWN = frozenset(Fact)


async def record(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> list[NewFact]:
    """Insert facts by order id, whether the order is stored yet or not. A stored fact stays as it is.

    Returns those that are new, with their orders as far as they are stored; see `_UNREAD`.
    """
    # One locking order, so that two instances that read the same facts do not deadlock. Sorted as numbers, because
    # comparing UUID objects costs several times as much.
    rows = [
        {
            "order_id": order_id,
            "fact": recorded.fact,
            "ref": recorded.ref,
            "at": recorded.at,
            "detail": recorded.detail or None,
            "trace": recorded.trace,
            "in_status": True,
        }
        for order_id, recorded in sorted(facts, key=lambda entry: (entry[0].int, entry[1].ref))
    ]
    new: set[tuple[UUID, Fact]] = tx.carried.setdefault(_NEW_FACTS, set())
    new.update(
        (order_id, recorded.fact)
        for order_id, recorded in facts
        if recorded.fact in RAISES_TO or recorded.fact in NEEDS_ALL_FACTS
    )
    return _new_facts(await tx.insert(order_facts, rows, returning=_RETURNING))


async def record_earliest(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> list[NewFact]:
    """Insert facts whose time may move to an earlier one as more is reported: the earliest time stays.

    Returns those that are new or were moved, with their orders.
    """
    earliest: dict[tuple[UUID, Fact, str], RecordedFact] = {}
    for order_id, recorded in facts:
        key = (order_id, recorded.fact, recorded.ref)
        if key not in earliest or recorded.at < earliest[key].at:
            earliest[key] = recorded
    rows = [
        {
            "order_id": key[0],
            "fact": key[1],
            "ref": key[2],
            "at": recorded.at,
            "detail": None,
            "trace": recorded.trace,
            "in_status": True,
        }
        for key, recorded in sorted(earliest.items(), key=lambda entry: (entry[0][0].int, entry[0][1], entry[0][2]))
    ]
    return _new_facts(await tx.insert(order_facts, rows, on_conflict=_KEEP_EARLIEST, returning=_RETURNING))


async def read_states(tx: Tx, buyers: Sequence[UUID]) -> list[OrderState]:
    """The orders of these buyers, with their facts."""
    sql = f"SELECT {_STATE} FROM orders o WHERE o.buyer_id = ANY(CAST(:buyers AS uuid[]))"
    return [_order_state(row) for row in (await tx.execute(sql, buyers=list(buyers))).scalars()]


async def store_statuses(tx: Tx) -> None:
    """Store the statuses that follow from the facts of this transaction: with one statement, unless a fact needs all.

    It is called once, at the end of a transaction, so that rows of several topics are locked in one order.
    """
    new: set[tuple[UUID, Fact]] = tx.carried.pop(_NEW_FACTS, set())
    if not new:
        return
    if any(fact in NEEDS_ALL_FACTS for _, fact in new):
        await derive(tx, {order_id for order_id, _ in new})
        return
    ordered = sorted(new, key=lambda entry: entry[0].int)
    await tx.execute(
        _RAISE,
        orders=[order_id for order_id, _ in ordered],
        facts=[fact.value for _, fact in ordered],
        statuses=[RAISES_TO[fact].value for _, fact in ordered],
        ranking=[each.value for each in RANKING],
    )


async def derive(tx: Tx, orders: Collection[UUID]) -> dict[UUID, Status]:
    """Derive the statuses of these orders from all of their facts, and store them. Unknown orders are left out.

    The rows are locked before the facts are read, by a statement of its own: so the facts of every transaction that
    had the lock before are seen. A fact that only a later release knows does not count.
    """
    rows = await tx.execute(_LOCK, orders=sorted(orders, key=lambda order_id: order_id.int))
    locked: list[UUID] = rows.scalars()
    if not locked:
        return {}
    facts: dict[UUID, list[Any]] = {order_id: [] for order_id in locked}
    for row in await tx.execute(_FACTS, orders=locked):
        if row.fact in _KNOWN:
            facts[row.order_id].append((Fact(row.fact), row.ref, row.at))
    statuses = {order_id: status(facts_in_force(about)) for order_id, about in facts.items()}
    await tx.execute(_STORE, orders=locked, statuses=[statuses[order_id].value for order_id in locked])
    return statuses


async def find_due(tx: Tx, storefront: str | None, max_orders: int) -> list[UUID]:
    """Orders whose status has still to be derived: of one storefront, or (None) of all."""
    return (await tx.execute(_DUE, storefront=storefront, max_orders=max_orders)).scalars()


async def find(tx: Tx, storefront: str | None, order: Reference) -> tuple[PlacedOrder, list[RecordedFact]] | None:
    """Read an order and all of its facts; None where that storefront (None: any) has no such order."""
    condition = "o.number = :number" if order.order_id is None else "o.order_id = :id"
    rows = (await tx.execute(_FIND + condition, storefront=storefront, id=order.order_id, number=order.number)).all()
    if not rows:
        return None
    placed = placed_order(rows[0])
    facts = [RecordedFact(Fact.ORDER_PLACED, placed.placed_at, trace=placed.trace)]
    facts += [
        RecordedFact(Fact(row.fact), row.at, row.ref, row.detail or FactDetail(), row.fact_trace)
        for row in rows
        if row.fact is not None
    ]
    return placed, facts


def placed_order(row: Any, body_hash: bytes = b"", *, held: bool = False) -> PlacedOrder:
    """The order of a row that has ORDER_COLUMNS."""
    return PlacedOrder(
        row.order_id,
        row.storefront,
        row.number,
        row.kind,
        row.plan,
        row.price,
        row.currency,
        row.placed_at,
        row.trace,
        bytes(body_hash),
        held,
        row.test,
    )


def _new_facts(rows: Sequence[Any]) -> list[NewFact]:
    return [
        NewFact(
            RecordedFact(Fact(row.fact), row.at, row.ref, row.detail or FactDetail(), row.trace),
            _order_state(row.state),
        )
        for row in rows
        if row.state is not None
    ]


def _order_state(state: list[Any]) -> OrderState:
    """Read `_STATE`. A fact that only a newer release knows is left out."""
    order_id, storefront, number, kind, plan_id, price, currency, submission_id, facts, test = state
    known = tuple((Fact(fact), ref, datetime.fromisoformat(at)) for fact, ref, at in facts or () if fact in _KNOWN)
    return OrderState(UUID(order_id), storefront, number, kind, plan_id, price, currency, submission_id, known, test)
