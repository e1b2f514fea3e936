"""Tasks of the stock: `refill` keeps a pool at its level, `stock` has one profile made for a pool."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from prometheus_client import CollectorRegistry, Gauge

from provisioning.clients.models import (
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    in_words,
    reason_with_codes,
)
from provisioning.operators import Operators, new_identities
from provisioning.settings import StockSettings
from provisioning.stock import store
from provisioning.stock.models import StockPayload, StockProfile, StockSettlement
from provisioning.withdrawal.models import STOCK_KEY, WithdrawalPayload
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.outcomes import Done, NotDue, NotSent, Outcome, Unknown
from shared.supervision import Loop
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_CHECK_SECONDS = 1.0
_SCHEDULE_SECONDS = 30.0
#: How long no profile is ordered for stock after the operator refused one.
_REFUSED_SECONDS = 60.0
#: A profile for stock that is not made within this time is withdrawn; the pool orders another one.
_PATIENCE = timedelta(minutes=10)
_KEPT_FAILURES = timedelta(days=1)
StockResult = TaskResult[OperatorProfile, StockPayload]


class Refill:
    """Task `refill`: a timer for each pool, which removes what is too old and orders what is missing."""

    kind = "refill"
    payload = NoPayload
    concurrency = 2

    def __init__(self, pools: Sequence[StockSettings], operators: Operators, database: Database, level: Gauge) -> None:
        self._pools = {f"{pool.operator}/{pool.profile_type}": pool for pool in pools}
        self._operators = operators
        self._database = database
        self._level = level

    async def run(self, loop: Loop) -> None:
        """Schedule the timer of each pool, again where an instance without that pool removed it. Until cancelled."""
        await loop.repeat(self._schedule_timers, _SCHEDULE_SECONDS, "refill_not_scheduled")

    async def _schedule_timers(self) -> None:
        async with self._database.transaction("work") as tx:
            for key in self._pools:
                tx.schedule(self.kind, key)

    async def perform(self, task: Task[NoPayload]) -> Outcome[None]:
        """Check the pool, and check it again later. The timer of a pool that is not configured any more ends."""
        pool = self._pools.get(task.key)
        if pool is None:
            return Done(None)
        async with self._database.transaction("work") as tx:
            await self._check(tx, pool)
        return NotDue(timedelta(seconds=_CHECK_SECONDS), "timer of the stock")

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """`perform` has stored everything."""

    async def _check(self, tx: Tx, pool: StockSettings) -> None:
        for old in await store.spoil(tx, pool):
            withdrawal = WithdrawalPayload.model_validate(old.fields(pool.operator, pool.profile_type))
            tx.schedule(self._operators.kind("withdraw", pool.operator), f"{STOCK_KEY}{old.id}", withdrawal)
        level = await store.level(tx, pool)
        self._level.labels(pool.operator, pool.profile_type, "ready").set(level.ready)
        self._level.labels(pool.operator, pool.profile_type, "ordered").set(level.ordered)
        await store.forget_failures(tx, pool, tx.now - _KEPT_FAILURES)
        present = level.ready + level.ordered
        refused = level.failed_at is not None and (tx.now - level.failed_at).total_seconds() < _REFUSED_SECONDS
        if present <= pool.low and not refused and not self._operators[pool.operator].open():
            await self._order(tx, pool, pool.high - present)

    async def _order(self, tx: Tx, pool: StockSettings, count: int) -> None:
        identities = await new_identities(tx, self._operators, [pool.operator] * count)
        profiles = [StockProfile(uuid7(), identity) for identity in identities]
        await store.add(tx, pool, profiles)
        kind = self._operators.kind("stock", pool.operator)
        for profile in profiles:
            tx.schedule(
                kind, str(profile.id), StockPayload.model_validate(profile.fields(pool.operator, pool.profile_type))
            )


class StockOrder:
    """Task `stock`: has one profile made. Orders of buyers go first, so it uses few of the operator's connections."""

    payload = StockPayload

    def __init__(self, pools: Sequence[StockSettings], operators: Operators, name: str, database: Database) -> None:
        self.kind = operators.kind("stock", name)
        self.concurrency = max(1, operators.settings[name].concurrency // 4)
        self._ages = {(pool.operator, pool.profile_type): pool.max_age_days * 86_400 for pool in pools}
        self._operators = operators
        self._name = name
        self._database = database

    async def perform(self, task: Task[StockPayload]) -> Outcome[OperatorProfile]:
        """Order the profile, for ten minutes at most."""
        name = task.payload.operator or self._name
        late = self._database.clock.now() >= task.created_at + _PATIENCE
        if (late and (task.attempts or task.uncertain)) or name not in self._operators:
            return OperatorRefused("late", "The operator did not make it in time.", left_behind=task.uncertain)
        wanted = task.payload.wanted(uncertain=task.uncertain)
        outcome = await self._operators[name].order(wanted, trace=task.continues, urgent=False)
        match outcome:
            case Done():
                return outcome
            case OperatorRefused(code, reason, statuses):
                reason = f"{reason} {in_words(statuses)}".strip()
                return OperatorRefused(code, reason, statuses, left_behind=outcome.left_behind or task.uncertain)
            case NotDue():
                return OperatorRefused("late", outcome.reason, left_behind=task.uncertain) if late else outcome
            case OperatorNotSent() | OperatorUnknown():
                reason = reason_with_codes(outcome)
                return NotSent(reason) if isinstance(outcome, OperatorNotSent) else Unknown(reason)

    async def record(self, tx: Tx, results: Sequence[StockResult]) -> None:
        """Put the profile into the pool, or withdraw what may be left at the operator."""
        ordered = sorted(results, key=lambda result: result.task.key)
        settled = await store.settle(tx, [self._settlement(result) for result in ordered])
        for result in ordered:
            task, outcome = result.task, result.outcome
            if not isinstance(outcome, OperatorRefused) or UUID(task.key) not in settled:
                continue
            log.warning("stock_not_made", operator=self._name, reason=outcome.reason)
            if outcome.left_behind:
                kind = self._operators.kind("withdraw", task.payload.operator or self._name)
                withdrawal = WithdrawalPayload.model_validate(task.payload.model_dump(exclude_unset=True))
                tx.schedule(kind, STOCK_KEY + task.key, withdrawal, trace=task.continues)

    def _settlement(self, result: StockResult) -> StockSettlement:
        payload = result.task.payload
        # A pool that is not configured any more has no age: a profile that still arrives is given back at once.
        age = self._ages.get((payload.operator or self._name, payload.operators_profile_type), 0.0)
        match result.outcome:
            case Done(profile):
                return StockSettlement(UUID(result.task.key), age, profile)
            case refusal:
                return StockSettlement(UUID(result.task.key), age, reason=refusal.reason)


def stock_level(registry: CollectorRegistry) -> Gauge:
    """`stock_profiles{operator,profile_type,state}`."""
    return Gauge("stock_profiles", "Profiles in stock", ["operator", "profile_type", "state"], registry=registry)
