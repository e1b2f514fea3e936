"""SQL of withdrawals."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Tx

_ORDERS = """
UPDATE profiles p SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[])) AS r(order_id, operator)
WHERE p.order_id = r.order_id AND p.operator = r.operator AND p.state = 'failed' AND p.withdrawn_at IS NULL
"""
_ATTEMPTS = """
UPDATE profile_orders a SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[])) AS r(order_id, operator)
WHERE a.order_id = r.order_id AND a.operator = r.operator AND a.withdrawn_at IS NULL
"""
_STOCK = """
UPDATE stock_profiles SET withdrawn_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND withdrawn_at IS NULL
"""


async def mark_orders(tx: Tx, withdrawn: Sequence[tuple[UUID, str]]) -> None:
    """Store that nothing of these orders is left at these operators."""
    if not withdrawn:
        return
    ids, operators = [order_id for order_id, _ in withdrawn], [operator for _, operator in withdrawn]
    await tx.execute(_ORDERS, now=tx.now, ids=ids, operators=operators)
    await tx.execute(_ATTEMPTS, now=tx.now, ids=ids, operators=operators)


async def mark_stock(tx: Tx, ids: Sequence[UUID]) -> None:
    """Store that these profiles of the stock are withdrawn."""
    if ids:
        await tx.execute(_STOCK, now=tx.now, ids=list(ids))
