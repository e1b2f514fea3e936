"""SQL of facts and of single orders."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ordering.tables import order_facts
from ordering.timeline.models import Fact, FactDetail, PlacedOrder, RecordedFact, Reference
from shared.database import Tx

#: Columns of `orders o` that `placed_order` reads.
ORDER_COLUMNS = "o.order_id, o.number, o.kind, o.plan, o.price, o.currency, o.placed_at, o.trace"
_FIND = f"""
SELECT {ORDER_COLUMNS}, f.fact, f.ref, f.at, f.detail, f.trace AS fact_trace
FROM orders o LEFT JOIN order_facts f USING (order_id)
WHERE (CAST(:storefront AS text) IS NULL OR o.storefront = :storefront) AND """
_KEEP_EARLIEST = """ON CONFLICT (order_id, fact, ref) DO UPDATE SET at = EXCLUDED.at, trace = EXCLUDED.trace
WHERE EXCLUDED.at < order_facts.at"""


async def record(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> None:
    """Insert facts by order id, whether the order is stored yet or not. A stored fact stays as it is."""
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
    await tx.insert(order_facts, rows)


async def record_earliest(tx: Tx, facts: Sequence[tuple[UUID, RecordedFact]]) -> None:
    """Insert facts whose time may move to an earlier one as more is reported: the earliest time stays."""
    earliest: dict[tuple[UUID, Fact, str], RecordedFact] = {}
    for order_id, recorded in facts:
        key = (order_id, recorded.fact, recorded.ref)
        if key not in earliest or recorded.at < earliest[key].at:
            earliest[key] = recorded
    rows = [
        {"order_id": key[0], "fact": key[1], "ref": key[2], "at": recorded.at, "detail": None, "trace": recorded.trace}
        for key, recorded in sorted(earliest.items(), key=lambda entry: (entry[0][0].int, entry[0][1], entry[0][2]))
    ]
    await tx.insert(order_facts, rows, on_conflict=_KEEP_EARLIEST)


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
