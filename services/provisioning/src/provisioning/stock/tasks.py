"""Keeps profiles in stock: `refill` looks after the level of a pool, `stock` has one profile made for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Gauge

from provisioning.clients.models import Made, NotNow, Refused, Unknown, in_words
from provisioning.generation import rows
from provisioning.operators.identities import new_identities
from provisioning.operators.registry import Operators
from provisioning.settings import StockSettings
from provisioning.tables import stock_profiles
from provisioning.withdrawal.tasks import STOCK_KEY
from shared import tasks
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.supervision import Loop
from shared.tasks import Later, Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_LOOK_SECONDS = 1.0
_BEGIN_SECONDS = 30.0
#: An operator that refused is not asked for stock again before.
_REFUSED_SECONDS = 60.0
#: Nobody waits for a profile in stock: what is not made by then is withdrawn and ordered anew.
_PATIENCE = timedelta(minutes=10)
_KEPT_FAILURES = timedelta(days=1)
_SPOIL = """
UPDATE stock_profiles SET state = 'spoiled'
WHERE operator = :operator AND profile_type = :profile_type AND state = 'ready'
AND (usable_until <= :now OR CAST(:closed AS boolean))
RETURNING id, iccid, matching_id
"""
#: What was sold has an order, stays, and grows without end: `order_id IS NULL` finds the rest by its index.
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


@dataclass(frozen=True, slots=True)
class NotMade:
    """A profile that will not come into stock. `left_behind`: something of it may be at the operator."""

    reason: str
    left_behind: bool


def pool_key(pool: StockSettings) -> str:
    """Names a pool in work rows."""
    return f"{pool.operator}/{pool.profile_type}"


class Refill:
    """A timer per pool, which never ends: throws out what is too old, orders what is missing."""

    kind = "refill"
    concurrency = 2

    def __init__(self, pools: Sequence[StockSettings], operators: Operators, database: Database, level: Gauge) -> None:
        self._pools = {pool_key(pool): pool for pool in pools}
        self._operators = operators
        self._database = database
        self._level = level

    async def run(self, loop: Loop) -> None:
        """One timer for each pool, begun again should an instance without that pool have ended it. Until cancelled."""
        await loop.repeat(self._start_timers, _BEGIN_SECONDS, "stock_not_begun")

    async def _start_timers(self) -> None:
        async with self._database.transaction("work") as tx:
            for key in self._pools:
                tx.schedule(self.kind, key)

    async def perform(self, task: Task) -> None:
        """Look, and look again later; a pool that is not kept any more ends its timer."""
        pool = self._pools.get(task.key)
        if pool is None:
            return
        async with self._database.transaction("work") as tx:
            await self._tend(tx, pool)
        raise Later(timedelta(seconds=_LOOK_SECONDS), "watching the stock")

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Nothing more is to be done."""

    async def _tend(self, tx: Tx, pool: StockSettings) -> None:
        where = {"operator": pool.operator, "profile_type": pool.profile_type}
        for old in (await tx.execute(_SPOIL, now=tx.now, closed=pool.high == 0, **where)).all():
            withdraw(tx, self._operators, old.id, pool, old.iccid, old.matching_id)
        level = (await tx.execute(_LEVEL, **where)).one()
        self._level.labels(pool.operator, pool.profile_type, "ready").set(level.ready)
        self._level.labels(pool.operator, pool.profile_type, "ordered").set(level.ordered)
        await tx.execute(_FORGET, before=tx.now - _KEPT_FAILURES, **where)
        there = level.ready + level.ordered
        resting = level.failed_at is not None and (tx.now - level.failed_at).total_seconds() < _REFUSED_SECONDS
        if there <= pool.low and not resting and not self._operators[pool.operator].open():
            await self._order(tx, pool, pool.high - there)

    async def _order(self, tx: Tx, pool: StockSettings, count: int) -> None:
        identities = await new_identities(tx, self._operators, [pool.operator] * count)
        made = [(uuid7(), iccid, matching_id) for iccid, matching_id in identities]
        await tx.insert(
            stock_profiles,
            [
                {
                    "id": key,
                    "operator": pool.operator,
                    "profile_type": pool.profile_type,
                    "iccid": iccid,
                    "matching_id": matching_id,
                    "created_at": tx.now,
                }
                for key, iccid, matching_id in made
            ],
        )
        kind = self._operators.kind("stock", pool.operator)
        for key, iccid, matching_id in made:
            tx.schedule(kind, str(key), _payload(key, pool, iccid, matching_id))


class StockOrder:
    """Has one profile made for stock. Orders of buyers come first: this lane is narrow."""

    def __init__(self, pools: Sequence[StockSettings], operators: Operators, name: str, database: Database) -> None:
        self.kind = operators.kind("stock", name)
        self.concurrency = max(1, operators.settings[name].concurrency // 4)
        self._ages = {(pool.operator, pool.profile_type): pool.max_age_days * 86_400 for pool in pools}
        self._operators = operators
        self._name = name
        self._database = database

    async def perform(self, task: Task) -> Made | NotMade:
        """Order it, for ten minutes at most."""
        name = rows.operator_of(task, self._name)
        late = self._database.clock.now() >= task.created_at + _PATIENCE
        if (late and (task.attempts or task.uncertain)) or name not in self._operators:
            return NotMade("The operator did not make it in time.", task.uncertain)
        answer = await self._operators[name].order(rows.wanted(task), trace=task.continues, urgent=False)
        match answer:
            case Made():
                return answer
            case Refused():
                reason = f"{answer.reason} {in_words(answer.statuses)}".strip()
                return NotMade(reason, answer.left_behind or task.uncertain)
            case NotNow(asked=False):
                if late:
                    return NotMade(answer.reason, task.uncertain)
                raise Later(timedelta(seconds=answer.retry_after or 1.0), answer.reason)
        unsure = task.uncertain or isinstance(answer, Unknown)
        raise (tasks.Unknown if unsure else tasks.NotNow)(rows.brief(answer))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Made | NotMade]]) -> None:
        """Into stock, or out of the books."""
        ordered = sorted(done, key=lambda one: one.task.key)
        made = [one.result if isinstance(one.result, Made) else None for one in ordered]
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=[UUID(one.task.key) for one in ordered],
            states=["ready" if one else "failed" for one in made],
            reasons=[one.result.reason if isinstance(one.result, NotMade) else None for one in ordered],
            addresses=[one.smdp_address if one else None for one in made],
            matching=[one.matching_id if one else None for one in made],
            iccids=[one.iccid if one else None for one in made],
            secrets=[one.confirmation_code if one else None for one in made],
            apns=[one.apn if one else None for one in made],
            oids=[one.oid if one else None for one in made],
            asks=[one.asks_confirmation_code if one else False for one in made],
            ages=[self._age(one.task) for one in ordered],
        )
        fresh = set(settled.scalars())
        for one in ordered:
            if isinstance(one.result, NotMade) and UUID(one.task.key) in fresh:
                log.warning("stock_not_made", operator=self._name, reason=one.result.reason)
                if one.result.left_behind:
                    kind = self._operators.kind("withdraw", rows.operator_of(one.task, self._name))
                    tx.schedule(kind, STOCK_KEY + one.task.key, one.task.payload, trace=one.task.continues)

    def _age(self, task: Task) -> float:
        """A pool that is not kept any more has no age: what still comes is thrown out at once."""
        return self._ages.get((rows.operator_of(task, self._name), task.payload["profile_type"]), 0.0)


def stock_level(registry: CollectorRegistry) -> Gauge:
    """`stock_profiles{operator,profile_type,state}`."""
    return Gauge("stock_profiles", "Profiles in stock", ["operator", "profile_type", "state"], registry=registry)


def withdraw(
    tx: Tx, operators: Operators, key: UUID, pool: StockSettings, iccid: str | None, matching_id: str | None
) -> None:
    """Give a profile in stock back; nobody was told its code."""
    payload = _payload(key, pool, iccid, matching_id)
    tx.schedule(operators.kind("withdraw", pool.operator), f"{STOCK_KEY}{key}", payload)


def _payload(key: UUID, pool: StockSettings, iccid: str | None, matching_id: str | None) -> dict[str, Any]:
    return {
        "order_number": f"stock-{key.hex}",  # stands for the order number at operators that know orders by it
        "operator": pool.operator,
        "profile_type": pool.profile_type,
        "iccid": iccid,
        "matching_id": matching_id,
    }
