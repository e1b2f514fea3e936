"""SQL of the stock. The transaction that handles the payment takes a profile, so that the order waits for no call."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.clients.models import OperatorProfile
from provisioning.operators.models import Identity
from provisioning.operators.rules.routing import Offer
from provisioning.settings import StockSettings
from provisioning.stock.models import Level, StockProfile, StockSettlement, TakenProfile
from provisioning.tables import stock_profiles
from shared.database import Tx

#: Locks each row that it takes and skips locked ones; a row leaves the state `ready` once and never returns to it.
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
_SPOIL = """
UPDATE stock_profiles SET state = 'spoiled'
WHERE operator = :operator AND profile_type = :profile_type AND state = 'ready'
AND (usable_until <= :now OR CAST(:closed AS boolean))
RETURNING id, iccid, matching_id
"""
#: Rows of sold profiles stay, and their number grows: `order_id IS NULL` finds the others by its index.
_LEVEL = """
SELECT count(*) FILTER (WHERE state = 'ready') AS ready, count(*) FILTER (WHERE state = 'ordered') AS ordered,
       max(failed_at) AS failed_at
FROM stock_profiles
WHERE operator = :operator AND profile_type = :profile_type AND state IN ('ready', 'ordered', 'failed')
AND order_id IS NULL
"""
_FORGET = """
DELETE FROM stock_profiles WHERE operator = :operator AND profile_type = :profile_type AND state = 'failed'
AND order_id IS NULL AND failed_at < :before AND (withdrawn_at IS NOT NULL OR iccid IS NULL)
"""
_SETTLE = """
UPDATE stock_profiles s
SET state = r.state, reason = r.reason, smdp_address = r.address, matching_id = COALESCE(r.matching, s.matching_id),
    iccid = COALESCE(r.iccid, s.iccid), confirmation_code = r.secret, apn = r.apn,
    oid = r.oid, asks_confirmation_code = r.asks,
    made_at = CASE WHEN r.state = 'ready' THEN CAST(:now AS timestamptz) END,
    usable_until = CASE WHEN r.state = 'ready' THEN CAST(:now AS timestamptz) + make_interval(secs => r.age) END,
    failed_at = CASE WHEN r.state = 'failed' THEN CAST(:now AS timestamptz) END
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:addresses AS text[]),
            CAST(:matching AS text[]), CAST(:iccids AS text[]), CAST(:secrets AS text[]), CAST(:apns AS text[]),
            CAST(:oids AS text[]), CAST(:asks AS bool[]), CAST(:ages AS float8[]))
     AS r(id, state, reason, address, matching, iccid, secret, apn, oid, asks, age)
WHERE s.id = r.id AND s.state = 'ordered'
RETURNING s.id
"""


class Stock:
    """The pools that are kept, by operator and its profile type."""

    def __init__(self, pools: Sequence[StockSettings]) -> None:
        self._pools = {Offer(pool.operator, pool.profile_type) for pool in pools}

    def __bool__(self) -> bool:
        return bool(self._pools)

    async def take(self, tx: Tx, orders: Mapping[UUID, Sequence[Offer]]) -> dict[UUID, TakenProfile]:
        """Assign a ready profile to each order, while there are any; `orders` lists offers by order, best first.

        Two statements for the first offers of all orders, and two for each further rank. The orders' rows are settled.
        """
        taken: dict[UUID, TakenProfile] = {}
        for rank in range(max((len(offers) for offers in orders.values()), default=0)):
            wanted = [
                (key, offers[rank])
                for key, offers in orders.items()
                if key not in taken and rank < len(offers) and offers[rank] in self._pools
            ]
            if wanted:
                taken |= await self._take(tx, wanted)
        return taken

    async def _take(self, tx: Tx, wanted: Sequence[tuple[UUID, Offer]]) -> dict[UUID, TakenProfile]:
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
            row.order_id: TakenProfile(
                Offer(row.operator, row.profile_type),
                row.iccid,
                _profile(row),
                row.made_at,
            )
            for row in rows
        }


def _profile(row: Any) -> OperatorProfile:
    return OperatorProfile(
        row.smdp_address,
        row.matching_id,
        row.confirmation_code,
        apn=row.apn,
        oid=row.oid,
        asks_confirmation_code=row.asks_confirmation_code,
    )


async def add(tx: Tx, pool: StockSettings, profiles: Sequence[StockProfile]) -> None:
    """Insert profiles that are about to be ordered."""
    rows = [
        {
            "id": profile.id,
            "operator": pool.operator,
            "profile_type": pool.profile_type,
            "iccid": profile.identity.iccid,
            "matching_id": profile.identity.matching_id,
            "created_at": tx.now,
        }
        for profile in profiles
    ]
    await tx.insert(stock_profiles, rows)


async def spoil(tx: Tx, pool: StockSettings) -> list[StockProfile]:
    """Take profiles that are too old out of the pool (all profiles where `high` is 0); returns them."""
    closed = pool.high == 0
    rows = await tx.execute(_SPOIL, now=tx.now, closed=closed, operator=pool.operator, profile_type=pool.profile_type)
    return [StockProfile(row.id, Identity(row.iccid, row.matching_id)) for row in rows]


async def level(tx: Tx, pool: StockSettings) -> Level:
    """How many profiles the pool has."""
    row = (await tx.execute(_LEVEL, operator=pool.operator, profile_type=pool.profile_type)).one()
    return Level(row.ready, row.ordered, row.failed_at)


async def forget_failures(tx: Tx, pool: StockSettings, before: datetime) -> None:
    """Delete rows of profiles that failed before that moment and of which nothing is left at the operator."""
    await tx.execute(_FORGET, before=before, operator=pool.operator, profile_type=pool.profile_type)


async def settle(tx: Tx, settlements: Sequence[StockSettlement]) -> set[UUID]:
    """Store how orders for stock ended; returns those that had not ended before."""
    made = [settlement.profile for settlement in settlements]
    result = await tx.execute(
        _SETTLE,
        now=tx.now,
        ids=[settlement.id for settlement in settlements],
        states=["ready" if profile else "failed" for profile in made],
        reasons=[settlement.reason for settlement in settlements],
        addresses=[profile.smdp_address if profile else None for profile in made],
        matching=[profile.matching_id if profile else None for profile in made],
        iccids=[profile.iccid if profile else None for profile in made],
        secrets=[profile.confirmation_code if profile else None for profile in made],
        apns=[profile.apn if profile else None for profile in made],
        oids=[profile.oid if profile else None for profile in made],
        asks=[profile.asks_confirmation_code if profile else False for profile in made],
        ages=[settlement.max_age_seconds for settlement in settlements],
    )
    return set(result.scalars())
