"""Profiles kept ready: taken by the transaction that reads the payment, so that delivery waits for no operator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.clients.models import Made
from provisioning.operators.rules.routing import Offer
from provisioning.settings import StockSettings
from shared.database import Tx

#: Locks each row it takes and passes over locked ones; a row leaves `ready` once and never returns.
_TAKE = """
WITH wanted AS (
  SELECT order_id, operator, profile_type, row_number() OVER (PARTITION BY operator, profile_type) AS n
  FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:types AS text[]))
       AS w(order_id, operator, profile_type)),
pools AS (SELECT operator, profile_type, count(*) AS many FROM wanted GROUP BY operator, profile_type),
ready AS MATERIALIZED (
  SELECT s.id, s.operator, s.profile_type FROM pools p CROSS JOIN LATERAL (
    SELECT id, operator, profile_type FROM stock_profiles
    WHERE operator = p.operator AND profile_type = p.profile_type AND state = 'ready' AND usable_until > :now
    ORDER BY made_at LIMIT p.many FOR UPDATE SKIP LOCKED) s),
taken AS (SELECT id, operator, profile_type, row_number() OVER (PARTITION BY operator, profile_type) AS n FROM ready)
UPDATE stock_profiles s SET state = 'assigned', order_id = w.order_id, assigned_at = :now
FROM taken t JOIN wanted w USING (operator, profile_type, n)
WHERE s.id = t.id
RETURNING s.order_id, s.operator, s.profile_type, s.iccid, s.matching_id, s.smdp_address, s.confirmation_code, s.apn,
          s.oid, s.asks_confirmation_code, s.made_at
"""
_ASSIGN = """
UPDATE profiles p
SET state = 'generated', operator = r.operator, profile_type = r.profile_type, iccid = r.iccid,
    matching_id = r.matching_id, smdp_address = r.smdp_address, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:types AS text[]), CAST(:iccids AS text[]),
            CAST(:matching AS text[]), CAST(:addresses AS text[]))
     AS r(order_id, operator, profile_type, iccid, matching_id, smdp_address)
WHERE p.order_id = r.order_id
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """A profile from stock, now an order's."""

    offer: Offer
    iccid: str
    made: Made
    made_at: datetime | None


class Stock:
    """The pools that are kept, by operator and its profile type."""

    def __init__(self, pools: Sequence[StockSettings]) -> None:
        self._pools = {Offer(pool.operator, pool.profile_type) for pool in pools}

    def __bool__(self) -> bool:
        return bool(self._pools)

    async def take(self, tx: Tx, orders: Mapping[UUID, Sequence[Offer]]) -> dict[UUID, Taken]:
        """Give orders (with the operators that may serve them, best first) a ready profile, as far as there are any.

        Two statements for the first choice of all orders, and two for each further one. The orders' rows are settled.
        """
        found: dict[UUID, Taken] = {}
        for rank in range(max((len(offers) for offers in orders.values()), default=0)):
            wanted = [
                (key, offers[rank])
                for key, offers in orders.items()
                if key not in found and rank < len(offers) and offers[rank] in self._pools
            ]
            if wanted:
                found |= await self._take(tx, wanted)
        return found

    async def _take(self, tx: Tx, wanted: Sequence[tuple[UUID, Offer]]) -> dict[UUID, Taken]:
        taken = await tx.execute(
            _TAKE,
            now=tx.now,
            ids=[key for key, _ in wanted],
            operators=[offer.operator for _, offer in wanted],
            types=[offer.profile_type for _, offer in wanted],
        )
        rows = taken.all()
        if rows:
            await tx.execute(
                _ASSIGN,
                now=tx.now,
                ids=[row.order_id for row in rows],
                operators=[row.operator for row in rows],
                types=[row.profile_type for row in rows],
                iccids=[row.iccid for row in rows],
                matching=[row.matching_id for row in rows],
                addresses=[row.smdp_address for row in rows],
            )
        return {
            row.order_id: Taken(
                Offer(row.operator, row.profile_type),
                row.iccid,
                _made(row),
                row.made_at,
            )
            for row in rows
        }


def _made(row: Any) -> Made:
    return Made(
        row.smdp_address,
        row.matching_id,
        row.confirmation_code,
        apn=row.apn,
        oid=row.oid,
        asks_confirmation_code=row.asks_confirmation_code,
    )
