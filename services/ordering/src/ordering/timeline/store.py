"""SQL of facts and of single orders."""

from collections.abc import Sequence
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
)
from shared.database import Tx

#: Columns of `orders o` that `placed_order` reads.
ORDER_COLUMNS = "o.order_id, o.number, o.kind, o.plan, o.price, o.currency, o.placed_at, o.trace"
_FIND = f"""
SELECT {ORDER_COLUMNS}, f.fact, f.ref, f.at, f.detail, f.trace AS fact_trace
FROM orders o LEFT JOIN order_facts f USING (order_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront) AND """
#: An order `o` with the facts about it; `OrderState` has the same sequence.
_STATE = """jsonb_build_array(o.order_id, o.storefront, o.number, o.kind, o.plan->>'id', o.price, o.currency,
  (SELECT s.submission_id FROM submissions s WHERE s.order_id = o.order_id LIMIT 1),
  (SELECT jsonb_agg(jsonb_build_array(f.fact, f.ref, f.at)) FROM order_facts f WHERE f.order_id = o.order_id))"""
#: Facts of which nobody outside ordering is informed: their order is not read.
_UNREAD = ", ".join(f"'{fact}'" for fact in (Fact.PROFILE_GENERATED, Fact.RECEIPT_ISSUED))
_RETURNING = f"""fact, ref, at, detail, trace, CASE WHEN fact NOT IN ({_UNREAD}) THEN
  (SELECT {_STATE} FROM orders o WHERE o.order_id = order_facts.order_id) END AS state"""
_KEEP_EARLIEST = """ON CONFLICT (order_id, fact, ref) DO UPDATE SET at = EXCLUDED.at, trace = EXCLUDED.trace
WHERE EXCLUDED.at < order_facts.at"""


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
        }
        for order_id, recorded in sorted(facts, key=lambda entry: (entry[0].int, entry[1].ref))
    ]
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
        {"order_id": key[0], "fact": key[1], "ref": key[2], "at": recorded.at, "detail": None, "trace": recorded.trace}
        for key, recorded in sorted(earliest.items(), key=lambda entry: (entry[0][0].int, entry[0][1], entry[0][2]))
    ]
    return _new_facts(await tx.insert(order_facts, rows, on_conflict=_KEEP_EARLIEST, returning=_RETURNING))


async def read_states(tx: Tx, buyers: Sequence[UUID]) -> list[OrderState]:
    """The orders of these buyers, with their facts."""
    sql = f"SELECT {_STATE} FROM orders o WHERE o.buyer_id = ANY(CAST(:buyers AS uuid[]))"
    return [_order_state(row) for row in (await tx.execute(sql, buyers=list(buyers))).scalars()]


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
    order_id, storefront, number, kind, plan_id, price, currency, submission_id, facts = state
    known = tuple((Fact(fact), ref, datetime.fromisoformat(at)) for fact, ref, at in facts or () if fact in _KNOWN)
    return OrderState(UUID(order_id), storefront, number, kind, plan_id, price, currency, submission_id, known)


_KNOWN = frozenset(Fact)
