"""SQL of withdrawals."""

from collections.abc import Sequence
from uuid import UUID

from shared.database import Tx

_ORDERS = """
UPDATE profiles p SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:iccids AS text[])) AS r(order_id, operator, iccid)
WHERE p.order_id = r.order_id AND p.operator = r.operator AND p.iccid IS NOT DISTINCT FROM r.iccid
AND p.state = 'failed' AND p.withdrawn_at IS NULL
"""
_ATTEMPTS = """
UPDATE profile_orders a SET withdrawn_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:iccids AS text[])) AS r(order_id, operator, iccid)
WHERE a.order_id = r.order_id AND a.operator = r.operator AND a.iccid IS NOT DISTINCT FROM r.iccid
AND a.withdrawn_at IS NULL
"""
_STOCK = """
UPDATE stock_profiles SET withdrawn_at = :now WHERE id = ANY(CAST(:ids AS uuid[])) AND withdrawn_at IS NULL
"""


async def mark_orders(tx: Tx, withdrawn: Sequence[tuple[UUID, str, str | None]]) -> None:
    """Store that nothing of these orders is left at these operators, under the ICCID if it was ours."""
    if not withdrawn:
        return
    ids, operators, iccids = (list(column) for column in zip(*withdrawn, strict=True))
    await tx.execute(_ORDERS, now=tx.now, ids=ids, operators=operators, iccids=iccids)
    await tx.execute(_ATTEMPTS, now=tx.now, ids=ids, operators=operators, iccids=iccids)


async def mark_stock(tx: Tx, ids: Sequence[UUID]) -> None:
    """Store that these profiles of the stock are withdrawn."""
    if ids:
        await tx.execute(_STOCK, now=tx.now, ids=list(ids))
